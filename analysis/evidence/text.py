"""Evidence as text for a terminal: the answer, the table, the ladder, what to do next, and cautions last."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.evidence.claims import CLAIMS
from analysis.evidence.planner import MOST, Needed
from analysis.evidence.result import Comparison, Evidence, Model

MEANING = {
    "these_images": "on these test images, trained again",
    "other_images": "on other images of this kind, trained again on the same training set",
    "other_training_sets": "with another training set, on other images of this kind",
}
WORDS = {"best": "best", "worse": "worse", "equivalent": "equivalent", "cannot_tell": "cannot tell"}
MOST_NAMES = 4
WIDEST = 36


def render(found: Evidence) -> str:
    """The whole page."""
    parts = ["\n".join(answer(found)), "\n".join(table(found)), "\n".join(ladder(found))]
    steps = list(next_steps(found))
    parts += ["\n".join(["Next steps", *steps])] if steps else []
    parts += ["\n".join(["Cautions", *(f"- {note}" for note in cautions(found))])]
    return "\n\n".join(parts) + "\n"


def answer(found: Evidence) -> Iterator[str]:
    """Two sentences."""
    by = {
        word: [n for n, m in found.models.items() if m.verdict == word and n != found.highest]
        for word in WORDS
    }
    where, highest = MEANING[found.claim], found.models[found.highest].mean
    if found.best:
        yield f"{short(found.best)} is the best {where}: every other model is worse."
    elif by["worse"] or by["equivalent"]:
        yield f"{short(found.highest)} has the highest mean, {highest:.3f}."
    else:
        yield f"No model can be called the best {where}."
        yield f"{short(found.highest)} has the highest mean, {highest:.3f}."
    told = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {text}"
        for word, text in (
            ("worse", "worse"),
            ("equivalent", f"equivalent to it within {found.margin:g}"),
            ("cannot_tell", "too close to tell with these data"),
        )
        if (names := by[word])
    ]
    yield f"{'; '.join(told)}." if told else ""


def listed(names: list[str]) -> str:
    """Up to `MOST_NAMES` names, or how many."""
    if len(names) > MOST_NAMES:
        return f"{len(names)} models"
    names = [short(name) for name in names]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def short(name: str) -> str:
    """At most `WIDEST` characters of a name."""
    return name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"


def table(found: Evidence) -> Iterator[str]:
    """A line per model, by mean."""
    ordered = sorted(found.models.items(), key=lambda item: -item[1].mean)
    width = max(5, *(len(short(name)) for name in found.models))
    yield f"{'model':<{width}}   mean  difference  95 % interval      p      verdict"
    for name, model in ordered:
        yield row(name, width, model, model.claims[found.claim])


def row(name: str, width: int, model: Model, claim: Comparison) -> str:
    """One model."""
    start = f"{short(name):<{width}}  {model.mean:.3f}"
    if claim.estimate is None or claim.low is None or claim.high is None or claim.p is None:
        return (
            f"{start}  {model.these_runs.estimate:+10.3f}  these runs only           {WORDS[model.verdict]}"
        )
    interval = f"{claim.low:+.3f} to {claim.high:+.3f}"
    return f"{start}  {claim.estimate:+10.3f}  {interval}  {p_value(claim.p):>6}  {WORDS[model.verdict]}"


def p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def ladder(found: Evidence) -> Iterator[str]:
    """Three claims, each with its sample, verdicts and error rates."""
    yield "Three claims, each wider than the one before"
    for letter, name in zip("abc", CLAIMS, strict=True):
        claims = {model: each.claims[name] for model, each in found.models.items()}
        one = claims[found.highest]
        seeds = min(c.n_seeds for c in claims.values())
        sample = (
            f"{count(seeds, 'seed')}, {count(one.n_images, 'image')}, {count(one.n_splits, 'training set')}"
        )
        yield f"({letter}) {MEANING[name]}: {sample}"
        yield f"    {verdicts(claims, name)}"
        if one.false_claim_rate is not None and one.power_at_margin is not None:
            yield (
                f"    if all were equal, such a study would call one worse in {one.false_claim_rate:.0%} of cases; "
                f"it finds a difference of {found.margin:g} in {one.power_at_margin:.0%}"
            )


def verdicts(claims: dict[str, Comparison], name: str) -> str:
    """How many models have each verdict, or why there is none."""
    if all(claim.estimate is None for claim in claims.values()):
        lacks = "one training set" if name == CLAIMS[2] else "one seed"
        return f"no verdict: {lacks} cannot show how much another would differ"
    totals = {word: sum(claim.verdict == word for claim in claims.values()) for word in WORDS}
    return ", ".join(f"{n} {WORDS[word]}" for word, n in totals.items() if n)


def count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def next_steps(found: Evidence) -> Iterator[str]:
    """For the models that cannot be told from the best, what would."""
    open_ones = [(n, m) for n, m in found.models.items() if m.verdict == "cannot_tell" and n != found.highest]
    silent = [name for name, model in open_ones if model.claims[found.claim].needed is None]
    for name, model in sorted(open_ones, key=lambda item: -item[1].mean)[:MOST_NAMES]:
        claim = model.claims[found.claim]
        if claim.needed and claim.estimate is not None:
            yield f"- {short(name)} ({claim.estimate:+.3f}): {what_decides(claim.needed, found.claim)}"
    if silent:
        yield f"- {listed(silent)}: train with at least 3 seeds; one run does not show how much the next would differ"
    if found.claim != CLAIMS[2]:
        yield "- For claim (c): at least 3 training sets, each with test images of its own"


def what_decides(needed: Needed, claim: str) -> str:
    """A sentence on what number of what decides."""
    ways = [
        f"{n} {what}"
        for n, what in (
            (needed.seeds, "seeds"),
            (needed.images, "test images"),
            (needed.splits, "training sets of new photographs"),
        )
        if n
    ]
    if not ways and needed.seeds_and_images:
        seeds, images = needed.seeds_and_images
        return f"only both together decide it: {seeds} seeds and {images} test images"
    if ways:
        never = "" if needed.seeds or claim == CLAIMS[0] else "; no number of seeds does on these images"
        return f"{' or '.join(ways)} would decide it with a chance of 80 %{never}"
    what = "photographs of your own for each training set" if claim == CLAIMS[2] else "data"
    return f"nothing up to {MOST} seeds or images decides it: it takes more {what}, or a wider margin"


def cautions(found: Evidence) -> Iterator[str]:
    """What the numbers assume."""
    yield from found.notes
    yield f"Higher scores are taken as better, {found.margin:g} as the largest difference that does not matter."
    yield "Differences are taken as normal; each interval holds for all models at once in 95 % of studies."
