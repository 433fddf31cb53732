"""Evidence as text for a terminal: the answer, the table, the ladder, what to do next, and cautions last."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from analysis.evidence.claims import CLAIMS
from analysis.evidence.planner import POWER, Needed, alternatives
from analysis.evidence.result import Comparison, Evidence, Model
from common.text import plural

MEANING = {
    "these_images": "on these test images, trained again",
    "other_images": "on other images of this kind, trained again on the same training set",
    "other_training_sets": "with another training set, on other images of this kind",
}
WORDS = {"best": "best", "worse": "worse", "equivalent": "equivalent", "cannot_tell": "cannot tell"}
MOST_NAMES = 4
WIDEST = 36
WIDTH = 110


def render(found: Evidence) -> str:
    """The whole page, at most `WIDTH` characters wide."""
    steps = [wrap(step) for step in next_steps(found)]
    parts = [
        [wrap(sentence) for sentence in answer(found)],
        table(found),
        ladder(found),
        ["Next steps", *steps] if steps else [],
        ["Cautions", *(wrap(f"- {note}") for note in cautions(found))],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def wrap(text: str) -> str:
    """Text in lines of at most `WIDTH` characters; those after a dash are indented."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  " if text.startswith("- ") else "")


def answer(found: Evidence) -> Iterator[str]:
    """Two sentences."""
    by = {
        word: [n for n, m in found.models.items() if m.verdict == word and n != found.highest]
        for word in WORDS
    }
    where = MEANING[found.claim]
    if found.best:
        yield f"{short(found.best)} is the best {where}: every other model is worse."
    elif found.models[found.highest].verdict == "equivalent":
        yield f"{short(found.highest)} is the best {where}, or at most {found.margin:g} below it."
    else:
        yield f"No model can be called the best {where}; {short(found.highest)} has the highest mean."
    told = [
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} {text}"
        for word, text in (
            ("worse", "worse"),
            ("equivalent", f"equivalent to it within {found.margin:g}"),
            ("cannot_tell", "too close to tell with these data"),
        )
        if (names := by[word])
    ]
    if told:
        yield f"{'; '.join(told)}."


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
        runs = model.these_runs
        interval = "" if runs.low is None or runs.high is None else f"{runs.low:+.3f} to {runs.high:+.3f}"
        return f"{start}  {runs.estimate:+10.3f}  {interval:<16}          {WORDS[model.verdict]}, of these runs only"
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
        sample = f"{plural(seeds, 'seed')}, {plural(one.n_images, 'image')}, {plural(one.n_splits, 'training set')}"
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
    ways = alternatives(needed)
    if not (needed.seeds or needed.images or needed.splits or needed.seeds_and_images):
        return f"{ways}: only a wider margin or photographs of another kind"
    never = "" if needed.seeds or claim == CLAIMS[0] else "; no number of seeds alone does"
    return f"{ways} would decide, with a chance of {POWER:.0%}{never}"


def cautions(found: Evidence) -> Iterator[str]:
    """What the numbers assume."""
    yield from found.notes
    if found.luck is not None:
        yield f"Being the highest of {len(found.models)} flatters a mean: here by about {max(found.luck, 0):.3f}."
    yield f"Higher scores are taken as better, {found.margin:g} as the largest difference that does not matter."
    yield "Differences are taken as normal; each interval holds for all models at once in 95 % of studies."
