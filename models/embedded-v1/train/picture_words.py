"""What the names of teachers' classes and of the training sets mean, in words.

Written by hand from the sets' README and class names, without looking at evaluation clips.
"""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


COCO_NAMES = tuple(
    """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,
    stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,
    umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,
    baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,
    banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,potted plant,
    bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,
    refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush""".replace(
        "\n", " "
    ).split(",")
)
COCO_NAMES = tuple(" ".join(name.split()) for name in COCO_NAMES)

# `word/other`: the sense of a word that also has the other word in WordNet.
COCO_SENSES = {
    "person": "person/individual",
    "cat": "cat/true cat",
    "dog": "dog/domestic dog",
    "cow": "cow/moo-cow",
    "train": "train/railroad train",
    "bus": "bus/autobus",
    "car": "car/auto",
    "boat": "boat",
    "sports ball": "ball",
    "tie": "necktie",
    "skis": "ski",
    "orange": "orange/sweet orange",
    "apple": "apple",
    "mouse": "mouse/computer mouse",
    "remote": "remote control/remote",
    "keyboard": "computer keyboard/keypad",
    "tv": "television receiver/television",
    "couch": "sofa/couch",
    "donut": "doughnut/donut",
    "potted plant": "pot plant",
    "hair drier": "hand blower/blow dryer",
    "cell phone": "cellular telephone/cellphone",
    "microwave": "microwave/microwave oven",
    "refrigerator": "refrigerator/icebox",
    "frisbee": "frisbee",
    "bear": "bear",
    "bird": "bird",
    "sheep": "sheep",
    "kite": "kite",
    "clock": "clock",
    "glass": "glass/drinking glass",
}

# Labels that only the training pictures have.
SENSES = {
    "bass": "bass",
    "camera": "camera/photographic camera",
    "dress": "dress/frock",
    "pants": "trouser/pant",
    "top": "top",
    "ship": "ship",
    "cup": "cup",
    "lamp": "lamp",
    "orange": "orange/sweet orange",
    "watch": "watch/ticker",
    "brain": "brain/encephalon",
    "tick": "tick",
    "camel": "camel",
    "face": "face/human face",
    "beetroot": "beet/beetroot",
    # Words of material and kind: nothing of WordNet's tree belongs below them.
    "glass": "glass/-",
    "plastic": "plastic/-",
    "metal": "metal/-",
    "paper": "paper/-",
    "cardboard": "cardboard/-",
    "trash": "trash/-",
    "drawing": "drawing/-",
    "dish": "dish/-",
    "room": "room/-",
    "water": "water/-",
}

_CALTECH = {
    "airplanes": "airplane",
    "Motorbikes": "motorcycle",
    "Leopards": "leopard",
    "car_side": "car",
    "grand_piano": "grand piano",
    "hawksbill": "turtle",
    "electric_guitar": "electric guitar",
    "cougar_face": "cougar",
    "cougar_body": "cougar",
    "flamingo_head": "flamingo",
    "crocodile_head": "crocodile",
    "joshua_tree": "tree",
    "soccer_ball": "soccer ball",
    "sea_horse": "seahorse",
    "rhino": "rhinoceros",
    "stop_sign": "stop sign",
    "windsor_chair": "chair",
    "yin_yang": "yin yang",
    "dollar_bill": "dollar bill",
    "ceiling_fan": "ceiling fan",
    "water_lilly": "water lily",
    "wild_cat": "wildcat",
    "inline_skate": "roller skate",
    "cellphone": "cell phone",
    "headphone": "headphones",
    "binocular": "binoculars",
    "snoopy": "cartoon",
    "garfield": "cartoon",
    "stegosaurus": "dinosaur",
    "brontosaurus": "dinosaur",
    "BACKGROUND_Google": "",
}

_CLOTHING = {
    "T-Shirt": ("t shirt", "shirt", "clothes"),
    "Pants": ("pants", "clothes"),
    "Longsleeve": ("sweater", "clothes"),
    "Shoes": ("shoe",),
    "Shorts": ("shorts", "clothes"),
    "Outwear": ("jacket", "clothes"),
    "Dress": ("dress", "clothes"),
    "Shirt": ("shirt", "clothes"),
    "Hat": ("hat",),
    "Skirt": ("skirt", "clothes"),
    "Blazer": ("jacket", "clothes"),
    "Polo": ("shirt", "clothes"),
    "Undershirt": ("shirt", "clothes"),
    "Hoodie": ("hoodie", "sweater", "clothes"),
    "Body": ("clothes",),
    "Top": ("clothes",),
    "Blouse": ("blouse", "clothes"),
}

_GROCERY = {
    "milk": ("Arla-Standard-Milk", "Arla-Medium-Fat-Milk", "Oatly-Oat-Milk", "Alpro-Shelf-Soy-Milk",
             "Garant-Ecological-Medium-Fat-Milk", "Arla-Ecological-Medium-Fat-Milk",
             "Garant-Ecological-Standard-Milk", "Alpro-Fresh-Soy-Milk"),
    "juice": ("Tropicana-Apple-Juice", "Bravo-Orange-Juice", "Tropicana-Golden-Grapefruit",
              "God-Morgon-Apple-Juice", "God-Morgon-Orange-Juice", "Tropicana-Juice-Smooth",
              "Tropicana-Mandarin-Morning", "Bravo-Apple-Juice"),
    "melon": ("Galia-Melon", "Honeydew-Melon", "Cantaloupe", "Watermelon"),
    "apple": ("Pink-Lady", "Golden-Delicious", "Royal-Gala", "Granny-Smith", "Red-Delicious"),
    "orange": ("Orange", "Satsumas"),
    "grapefruit": ("Red-Grapefruit",),
    "pear": ("Anjou", "Kaiser", "Conference"),
    "potato": ("Solid-Potato", "Floury-Potato", "Sweet-Potato"),
    "onion": ("Yellow-Onion",),
    "bell pepper": ("Yellow-Bell-Pepper", "Orange-Bell-Pepper", "Green-Bell-Pepper",
                    "Red-Bell-Pepper"),
    "tomato": ("Beef-Tomato", "Regular-Tomato", "Vine-Tomato"),
    "carrot": ("Carrots",),
    "eggplant": ("Aubergine",),
    "mushroom": ("Brown-Cap-Mushroom",),
    "beetroot": ("Red-Beet",),
    "mango": ("Mango",), "cabbage": ("Cabbage",), "kiwi": ("Kiwi",), "papaya": ("Papaya",),
    "nectarine": ("Nectarine",), "garlic": ("Garlic",), "pomegranate": ("Pomegranate",),
    "peach": ("Peach",), "zucchini": ("Zucchini",), "avocado": ("Avocado",), "lemon": ("Lemon",),
    "lime": ("Lime",), "banana": ("Banana",), "ginger": ("Ginger",), "leek": ("Leek",),
    "plum": ("Plum",), "asparagus": ("Asparagus",), "passion fruit": ("Passion-Fruit",),
}  # fmt: skip
_CARTONS = ("milk", "juice")
_VEGETABLES = ("potato", "onion", "bell pepper", "tomato", "carrot", "eggplant", "cabbage",
               "garlic", "zucchini", "leek", "asparagus", "mushroom", "beetroot")  # fmt: skip

_CATS = ("Abyssinian", "Bengal", "Birman", "Bombay", "British_Shorthair", "Egyptian_Mau",
         "Maine_Coon", "Persian", "Ragdoll", "Russian_Blue", "Siamese", "Sphynx")  # fmt: skip

# Words for whole sets, and for labels of small sets.
_SETS: dict[str, tuple[str, ...]] = {
    "african_storybook": ("drawing",),
    "recipe_photos": ("food", "dish"),
    "udacity_road": ("road", "highway", "street"),
    "udacity_lanes": ("road", "highway", "street"),
    "tum_rgbd": ("desk", "office", "room"),
    "bangkok_buses": ("bus", "street", "road"),
    "facades": ("building", "house", "street"),
    "classroom_video": ("classroom", "room"),
    "drone_river": ("river", "water"),
}
_LABELS: dict[tuple[str, str], tuple[str, ...]] = {
    ("azure_samples", "scissors"): ("scissors",),
    ("azure_samples", "fork"): ("fork",),
    ("azure_samples", "Hemlock"): ("tree",),
    ("azure_samples", "Japanese_Cherry"): ("tree",),
    ("azure_samples", "shelf-analysis"): ("shelf",),
    ("jetson_images", "room"): ("room",),
    ("jetson_images", "trail"): ("trail", "forest"),
    ("jetson_images", "city"): ("city", "street", "building"),
    ("jetson_images", "peds"): ("person", "street"),
    ("jetson_images", "humans"): ("person",),
    ("jetson_images", "cat"): ("cat",),
    ("jetson_images", "bird"): ("bird",),
    ("jetson_images", "horse"): ("horse",),
    ("jetson_images", "dog"): ("dog",),
    ("jetson_images", "airplane"): ("airplane",),
    ("person_tracker_videos", "people, video frame"): ("person",),
    ("peace_corps_site", "volunteers"): ("person",),
}


def _words_of_labels() -> dict[tuple[str, str], tuple[str, ...]]:
    words: dict[tuple[str, str], tuple[str, ...]] = dict(_LABELS)
    for label, names in _CLOTHING.items():
        words["clothing", label] = names
    for name, labels in _GROCERY.items():
        kinds = (name, "carton") if name in _CARTONS else (name,)
        kinds += ("vegetable",) if name in _VEGETABLES else ()
        fruit = name not in (*_CARTONS, *_VEGETABLES, "ginger")
        for label in labels:
            words["grocery", label] = (*kinds, "fruit") if fruit else kinds
    for material in ("glass", "plastic", "metal", "cardboard", "paper", "trash"):
        words["trashnet", material] = (material,)
    return words


PICTURE_WORDS = _words_of_labels()
for _label, _word in _CALTECH.items():
    PICTURE_WORDS["caltech101", _label] = (_word,) if _word else ()
for _name, _words in _SETS.items():
    PICTURE_WORDS[_name, "*"] = _words


def learn_caltech(labels: set[str]) -> None:
    """Add the Caltech classes whose name is already the word."""
    for label in sorted(labels):
        PICTURE_WORDS.setdefault(("caltech101", label), (label.replace("_", " "),))


def words_of_picture(set_name: str, label: str) -> tuple[str, ...]:
    """The label words of one picture."""
    if set_name == "oxford_pets":
        return ("cat",) if label in _CATS else ("dog",)
    own = PICTURE_WORDS.get((set_name, label), ())
    return (*own, *PICTURE_WORDS.get((set_name, "*"), ()))


# Words of places: a picture that is not labelled with them may show them all the same.
PLACE_WORDS = _set(
    """
    street road highway building house city room office desk classroom tree forest trail
    river water person food dish shelf clothes glass plastic metal paper cardboard trash
    drawing cartoon
    """
)
# Sets of single things on plain ground, which show none of the places.
OBJECT_SETS = frozenset(("caltech101", "clothing", "trashnet", "grocery", "oxford_pets"))

ALIASES = {
    "bike": "bicycle", "kitten": "cat", "kitty": "cat", "puppy": "dog", "plane": "airplane",
    "television": "tv", "phone": "cell phone", "mobile phone": "cell phone",
    "smartphone": "cell phone", "sofa": "couch", "motorbike": "motorcycle",
    "fridge": "refrigerator", "tv set": "tv", "toy": "teddy bear",
    "man": "person", "woman": "person", "men": "person", "women": "person", "boy": "person",
    "girl": "person", "child": "person", "children": "person", "kid": "person", "baby": "person",
    "people": "person", "human": "person", "guy": "person", "lady": "person", "adult": "person",
    "toddler": "person", "pedestrian": "person", "somebody": "person", "someone": "person",
    "anyone": "person", "anybody": "person", "worker": "person", "technician": "person",
    "cyclist": "person", "rider": "person", "dancer": "person", "player": "person",
    "speaker": "person", "driver": "person", "crowd": "person", "persons": "person",
    "apes": "ape", "cattle": "cow", "tee shirt": "t shirt", "garment": "clothes",
    "clothing": "clothes", "trousers": "pants", "purse": "handbag", "photo camera": "camera",
    "chimp": "chimpanzee", "rhino": "rhinoceros", "hippo": "hippopotamus", "cab": "taxi",
    "sketch": "drawing", "illustration": "drawing", "painting": "drawing",
}  # fmt: skip

SKIPPED = _set(
    """
    thing physical living causal cause object entity whole matter body form group part unit
    piece item stuff artifact
    artefact instrumentality instrumentation relation abstraction attribute measure set
    collection organism being agent left right middle center centre top bottom side corner
    front back light dark bright black white red green blue yellow purple pink brown grey
    gray turn second point line place time scene still movement moment minute video picture
    image clip frame end start begin go goes show shows wear stand sit hold run walk play
    use one two three four five in on at by it he a i as so be do can will may might take
    make see look there where when what who how many much does
    did up off down over out she
    """
)

# Frequent words of English that are meant as the thing when they are said of a picture.
FREQUENT_NOUNS = _set(
    """
    adult aircraft animal anybody anyone apple auto baby bag ball barrel baseball basketball bat
    bear bed beef bench bin bird boat book bottle bowl box boy brain bread bridge buffalo building
    bus cabinet camera cap car castle cat cathedral cattle chain chair cheese chicken child
    children church city clock clothes clothing coast coffee computer corn crowd crown cup dam
    desk dog dollar door drawing dress drink driver eagle factory fan fish flower food football
    forest fox fruit furniture girl glass guitar gun guy helicopter highway horse house human iron
    jean jersey jet kid lady laptop library lion machine magazine man meat men metal milk missile
    monitor mosque mountain office orange painting palace pan paper people person persons phone
    piano pitcher pizza plane plant plastic plate player pole prison rabbit radio remote
    restaurant rice river road robin rocket roof room rose salt screen seat ship shop shore sign
    ski snake somebody someone speaker stage store street suit sushi swing table tank tea
    telephone television temple theater theatre tie tiger tool tower track trail train tree truck
    tv valley van vehicle vessel villa watch water weapon website wheel wine wing wolf woman women
    worker
    """
)
