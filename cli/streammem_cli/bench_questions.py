"""`streammem bench questions`: how right the answers are."""

from pathlib import Path
from typing import Annotated

import typer

from streammem.core.errors import UsageError
from streammem_cli import bench_options, options
from streammem_cli.bench_progress import run_bench


@options.common
def questions(
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="features or pictures; may be repeated. [both]"),
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="Ask memories of this policy; repeatable. [streammem]")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Bytes of a memory. [4MiB; videos 32MiB]")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Scripts of each kind. [20, quick 1]")] = None,
    tuning: bench_options.Tuning = False,
    quick: bench_options.Quick = False,
    jobs: bench_options.Jobs = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write results.json and table.md; go on there."),
    ] = None,
    fresh: bench_options.Fresh = False,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="streamingbench, ovo-bench, video-mme, mlvu, lvbench or egoschema.",
        ),
    ] = None,
    question_file: Annotated[
        Path | None, typer.Option("--questions", metavar="FILE", help="Its question file.")
    ] = None,
    videos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Its videos, as far as they are here.")
    ] = None,
    answerer: options.Answerer = None,
    encoder: options.EncoderId = None,
    weights: options.Weights = None,
    fps: options.Fps = None,
    json: options.Json = False,
    jsonl: options.JsonLines = False,
) -> None:
    """Count right answers to questions whose answers are known.

    \b
    Examples:
      streammem bench questions --quick
      streammem bench questions --protocol features --jobs 2 --out results/
      streammem bench questions --format mlvu --questions 3_ego.json --videos ego/

    Offline and seeded: scripts of named events at known times, as features and as
    rendered video; or, with --format, a public benchmark over its videos, scored by
    its own rule. Videos that are not there are named and not scored. The same
    command with the same --out goes on where a stopped one ended. Exit code 3 if a
    script failed or a video could not be read.
    """
    public = (format_name, question_file, videos)
    if any(part is not None for part in public):
        from streammem.bench import PublicRequest, run_public_bench
        from streammem.core.config import load_config

        if format_name is None or question_file is None or videos is None:
            raise UsageError("--format, --questions and --videos go together")
        if protocol or policy or seeds is not None or tuning or quick or jobs > 1:
            raise UsageError(
                "--protocol, --policy, --seeds, --tuning, --quick and --jobs are for event scripts",
                hint="leave them out; --out keeps what was done",
            )
        loaded = load_config(
            flags={
                **options.ingest_settings(encoder=encoder, weights=weights, fps=fps, budget=budget),
                "query.answerer": answerer,
            }
        )
        asked = PublicRequest(
            format=format_name,
            questions=question_file,
            videos=videos,
            config=loaded,
            answerer=loaded.config.query.answerer,
            out=out,
            fresh=fresh,
            command_line=bench_options.command_line(),
        )
        run_bench(
            lambda show, stop: run_public_bench(asked, on_event=show, should_stop=stop),
            as_json=json,
            as_lines=jsonl,
        )
        return
    from streammem.bench import QuestionsRequest, run_question_bench
    from streammem.core.budget import parse_bytes

    if any(part is not None for part in (answerer, encoder, weights, fps)):
        raise UsageError(
            "--answerer, --encoder, --weights and --fps are for videos",
            hint="add --format, --questions and --videos",
        )
    request = QuestionsRequest(
        protocols=tuple(protocol or ()),
        policies=tuple(policy or ()),
        budget_bytes=parse_bytes(budget or "4MiB"),
        seeds=seeds,
        tuning=tuning,
        quick=quick,
        jobs=jobs,
        out=out,
        fresh=fresh,
        command_line=bench_options.command_line(),
    )
    run_bench(
        lambda show, stop: run_question_bench(request, on_event=show, should_stop=stop),
        as_json=json,
        as_lines=jsonl,
    )
