"""The benchmarks' command line; see the package's docstring."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import msgspec

import benchmarks
from benchmarks import Report


def modules() -> dict[str, str]:
    """Module name of each benchmark, by the name it goes by on the command line."""
    return {
        module.name.replace("_", "-"): f"benchmarks.{module.name}"
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_")
    }


def listing() -> str:
    lines = ["Benchmarks (python -m benchmarks NAME [--json]):", ""]
    for name, module in sorted(modules().items()):
        about = (importlib.import_module(module).__doc__ or "").strip().splitlines()[0]
        lines.append(f"  {name:16} {about}")
    return "\n".join(lines)


def as_json(name: str, report: Report) -> str:
    bars = [
        {"name": b.name, "value": b.value, "limit": b.limit, "better": b.better, "holds": b.holds}
        for b in report.bars
    ]
    body = {"benchmark": name, "figures": report.figures, "bars": bars, "holds": report.holds}
    return msgspec.json.encode(body).decode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("name", nargs="?", help="which one to run; without it, list them")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument(
        "--traces", type=Path, metavar="DIR", help="CSV files of timestamp,value per 5 minutes"
    )
    parser.add_argument("--lightgbm", action="store_true", help="forecast: show LightGBM's beside ours")
    chosen = parser.parse_args()
    if chosen.name is None:
        print(listing())
        return 0
    module = modules().get(chosen.name)
    if module is None:
        print(f"no benchmark named {chosen.name!r}\n\n{listing()}", file=sys.stderr)
        return 2
    run = importlib.import_module(module).run
    given = {name: value for name in ("traces", "lightgbm") if (value := getattr(chosen, name))}
    for name in given.keys() - inspect.signature(run).parameters.keys():
        parser.error(f"{chosen.name} takes no --{name}")
    report: Report = run(**given)
    if not chosen.json:
        for name, figure in report.figures.items():
            shown = f"{figure:,.3f}" if isinstance(figure, float) else str(figure)
            print(f"  {name:58} {shown:>16}")
        for bar in report.bars:
            sign = ">=" if bar.better == "higher" else "<="
            verdict = "holds" if bar.holds else "FALLS SHORT"
            print(f"  {bar.name:58} {bar.value:>16,.3f} {sign} {bar.limit:g}: {verdict}")
    print(as_json(chosen.name, report))
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
