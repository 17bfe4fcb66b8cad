"""Codes of languages: containers write three letters, cues carry two."""

# ISO 639-2, in both its forms, and ISO 639-1 of the languages that have two letters and a public.
_PAIRS = """
ara=ar ben=bn bul=bg cat=ca ces=cs chi=zh cmn=zh cze=cs dan=da deu=de dut=nl ell=el eng=en est=et
eus=eu fas=fa fin=fi fra=fr fre=fr ger=de gle=ga glg=gl gre=el guj=gu heb=he hin=hi hrv=hr hun=hu
hye=hy ice=is ind=id isl=is ita=it jpn=ja kan=kn kat=ka kor=ko lav=lv lit=lt mac=mk mal=ml mar=mr
may=ms mkd=mk msa=ms nld=nl nob=nb nor=no pan=pa per=fa pol=pl por=pt ron=ro rum=ro rus=ru slk=sk
slo=sk slv=sl spa=es sqi=sq srp=sr swa=sw swe=sv tam=ta tel=te tgl=tl tha=th tur=tr ukr=uk urd=ur
vie=vi zho=zh
"""
_TWO_LETTERS = dict(pair.split("=") for pair in _PAIRS.split())


def two_letters(code: str | None) -> str | None:
    """`en` for `en`, `eng`, `en-US` and `EN_us`; None for what is no language known here."""
    if not code:
        return None
    first = code.replace("_", "-").partition("-")[0].lower()
    if len(first) == 2 and first in _TWO_LETTERS.values():
        return first
    return _TWO_LETTERS.get(first)
