"""`streammem bench`: how much the policies remember at equal bytes, and how right answers are."""

from pathlib import Path
from typing import Annotated

import typer

from streammem_cli import bench_options, bench_questions, options
from streammem_cli.bench_progress import run_bench

app = typer.Typer(
    help="Measure memory policies and answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("questions")(bench_questions.questions)


@app.command("memory")
@options.common
def memory(
    protocol: Annotated[
        list[str] | None, typer.Option(help="Run this protocol only; may be repeated. [all]")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Measure this policy only; repeatable. [all]"),
    ] = None,
    cells: Annotated[
        str, typer.Option(help="Cells of the policies: fp16, codes or both.")
    ] = "both",
    budget: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Instead of each protocol's budgets; repeatable."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Streams of each kind. [20, quick 1]")] = None,
    tuning: bench_options.Tuning = False,
    quick: bench_options.Quick = False,
    jobs: bench_options.Jobs = 1,
    max_frames: Annotated[
        int, typer.Option(min=1000, help="Leave out longer streams, except of scale.")
    ] = 100_000,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write results.json, table.md and plots; go on there."),
    ] = None,
    fresh: bench_options.Fresh = False,
    clips: Annotated[
        Path | None, typer.Option(metavar="FILE", help="streams.json of joined real clips.")
    ] = None,
    timelines: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Narrated timelines, *.jsonl.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder of the clips.")] = "descriptor",
    weights: options.Weights = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where vectors of clips are kept.")
    ] = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Measure what each policy still finds at equal bytes.

    \b
    Examples:
      streammem bench memory --quick
      streammem bench memory --protocol streams --jobs 2 --out results/
      streammem bench memory --protocol load --policy streammem --policy moviechat

    Offline and seeded. The same command with the same --out goes on where a stopped
    one ended. Exit code 3 if a measurement failed.
    """
    from streammem.bench import BenchRequest, run_memory_bench
    from streammem.core.budget import parse_bytes

    request = BenchRequest(
        protocols=tuple(protocol or ()),
        policies=tuple(policy or ()),
        cells=cells,
        budgets_bytes=tuple(parse_bytes(text) for text in budget or ()),
        seeds=seeds,
        tuning=tuning,
        quick=quick,
        jobs=jobs,
        max_frames=max_frames,
        out=out,
        fresh=fresh,
        clips=clips,
        timelines=timelines,
        encoder=encoder,
        weights=weights or "",
        cache=cache,
        command_line=bench_options.command_line(),
    )
    run_bench(
        lambda show, stop: run_memory_bench(request, on_event=show, should_stop=stop),
        as_json=json,
        as_lines=jsonl,
    )
