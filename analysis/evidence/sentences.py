"""Evidence in words: the answer, the table, the ladder of claims, next steps, and cautions last.

`render` is the page of the command; reports and tables take its parts.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from analysis.evidence.claims import CLAIMS, LEVEL
from analysis.evidence.pairs import Pair
from analysis.evidence.planner import POWER, SampleSizes, alternatives
from analysis.evidence.result import Contrast, Evidence, Model
from analysis.evidence.simulate import STUDIES
from common.text import TERMINAL_WIDTH, plural, short_names

MEANING = {
    "these_images": "on these test images, trained again",
    "other_images": "on other images of this kind, trained again on the same training set",
    "other_training_sets": "on other images of this kind, with another training set",
}
QUESTIONS = {
    "these_images": "trained again, same test images",
    "other_images": "trained again, new test images of this kind",
    "other_training_sets": "trained on other images of this kind",
}
"""Question of each claim: `QUESTION`, and these words."""
QUESTION = "Would the best model win again?"
WORDS = {"best": "best", "worse": "worse", "equivalent": "equivalent", "cannot_tell": "cannot tell"}
RUNGS = ("question", "sample", "verdicts", "false claims", "power")
"""Titles of the columns of `ladder`."""
MOST_NAMES = 4
WIDEST = 36


def render(found: Evidence) -> str:
    """The whole page, at most `TERMINAL_WIDTH` characters wide."""
    parts = [[wrap(sentence) for sentence in answer(found)], table(found), proof(found, next_steps(found))]
    warned = bullets("Cautions", [*cautions(found), "Higher scores are taken as better."])
    return "\n\n".join("\n".join(part) for part in [*parts, warned] if part) + "\n"


def proof(found: Evidence, steps: Iterable[str]) -> Iterator[str]:
    """The ladder and the next steps as lines for a terminal."""
    rungs = list(ladder(found))
    common = common_sample(rungs)
    yield f"{QUESTION} ({common})" if common else QUESTION
    for claim, sample, verdict, false, power in rungs:
        yield from textwrap.wrap(claim if common else f"{claim}: {sample}", TERMINAL_WIDTH, subsequent_indent="    ")
        yield from (f"    {line}" for line in textwrap.wrap(verdict, TERMINAL_WIDTH - 4))
        if false:
            text = f"if all were equal, such a study would call one worse in {false} of cases; it finds a difference"
            yield from (
                f"    {line}" for line in textwrap.wrap(f"{text} of {found.margin:g} in {power}", TERMINAL_WIDTH - 4)
            )
    lines = bullets("Next steps", steps)
    if lines:
        yield from ("", *lines)


def common_sample(rungs: Sequence[tuple[str, str, str, str, str]]) -> str:
    """The sample of all rungs of a `ladder`; empty if they differ."""
    samples = {sample for _, sample, _, _, _ in rungs}
    return samples.pop() if len(samples) == 1 else ""


def bullets(title: str, sentences: Iterable[str]) -> list[str]:
    """A title over wrapped sentences; nothing without sentences."""
    lines = [wrap(f"- {sentence}") for sentence in sentences]
    return [title, *lines] if lines else []


def wrap(text: str) -> str:
    """Text in lines of at most `TERMINAL_WIDTH` characters; those after a dash are indented."""
    return textwrap.fill(text, TERMINAL_WIDTH, subsequent_indent="  " if text.startswith("- ") else "")


def answer(found: Evidence, score: str = "a mean of", n_models: int = 0) -> tuple[str, str]:
    """Two sentences, on the best and on the others; `score` names the scores, `n_models` counts those without any."""
    top, where = found.models[found.highest], MEANING[found.claim]
    n, total = n_judged(found), max(n_models, len(found.models))
    compared = n or len(found.models)
    of = f"of {total} models" if compared == total else f"of the {compared} models that can be compared"
    if is_single_try(found):
        first = single_try(found, score)
    elif not n:
        first = f"{found.highest} has the highest mean {of}, {top.mean:.3f}, in these very runs."
    elif found.best:
        first = f"{found.best} is the best {of} {where}."
    elif top.verdict == "equivalent":
        first = (
            f"{found.highest} has the highest mean {of}, {top.mean:.3f}, and is at most {found.margin:g} below the best"
            f"{'' if compared == total else ' of them'} {where}."
        )
    else:
        first = f"{found.highest} has the highest mean {of}, {top.mean:.3f}, but is not proven to be the best {where}."
    return first, others(found)


def n_judged(found: Evidence) -> int:
    """Number of models that the deciding claim compares."""
    return sum(model.claims[found.claim].estimate is not None for model in found.models.values())


def is_single_try(found: Evidence) -> bool:
    """Whether every model has one seed on one training set, so that nothing is known of other runs."""
    claims = [model.claims[CLAIMS[0]] for model in found.models.values()]
    return all(claim.n_seeds == claim.n_splits == 1 for claim in claims)


def single_try(found: Evidence, score: str) -> str:
    """The best of models that were trained once, and the next."""
    (top, first), (second, following), *_ = sorted(found.models.items(), key=lambda item: -item[1].mean)
    return (
        f"Best of {len(found.models)} models in this single try: {top} with {score} {first.mean:.3f} on"
        f" {plural(first.these_runs.n_images, 'test image')} (next: {second}, {following.mean:.3f})."
    )


def others(found: Evidence) -> str:
    """Sentences on all models but the one with the highest mean."""
    rest = {name: model for name, model in found.models.items() if name != found.highest}
    single = [name for name, model in rest.items() if model.claims[found.claim].estimate is None]
    higher = [name for name in single if rest[name].mean > found.models[found.highest].mean]
    lower = [name for name in single if name not in higher]
    named = {
        word: [name for name, model in rest.items() if model.verdict == word and name not in single] for word in WORDS
    }
    if len(single) == len(rest):
        return "Trained again, the order may change."
    if len(named["worse"]) == len(rest):
        return "The other one is worse." if len(rest) == 1 else f"All {len(rest)} others are worse."
    parts = (
        (named["worse"], "worse"),
        (named["equivalent"], f"equivalent to it within {found.margin:g}"),
        (named["cannot_tell"], "too close to tell with these data"),
        (higher, f"higher but not judged, for {alone(found, higher)}"),
        (lower, f"not judged, for {alone(found, lower)}"),
    )
    return " ".join(f"{about(names, text)}." for names, text in parts if names)


def about(names: list[str], text: str) -> str:
    """A clause on one model, on a number of them, or on a list, which says of what first: names have commas."""
    if 1 < len(names) <= MOST_NAMES:
        return f"{text[0].upper()}{text[1:]}: {'; '.join(names)}"
    return f"{join_names(names)} {'is' if len(names) == 1 else 'are'} {text}"


def alone(found: Evidence, names: list[str]) -> str:
    """Reason why these models cannot be compared."""
    one = "training set" if found.claim == CLAIMS[2] else "run"
    return f"it has one {one}" if len(names) == 1 else f"they have one {one} each"


def join_names(names: list[str]) -> str:
    """Up to `MOST_NAMES` names, else their number."""
    if len(names) > MOST_NAMES:
        return f"{len(names)} models"
    if len(names) == 1:
        return names[0]
    if any("," in name or ";" in name for name in names):
        return f"{'; '.join(names[:-1])}; and {names[-1]}"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def table(found: Evidence) -> Iterator[str]:
    """A line per model, by mean."""
    ordered = sorted(found.models.items(), key=lambda item: -item[1].mean)
    short = short_names(found.models, WIDEST)
    width = max(5, *map(len, short.values()))
    yield f"{'model':<{width}}   mean  difference  95 % interval      p      verdict"
    for name, model in ordered:
        yield row(short[name], width, model, model.claims[found.claim])


def row(name: str, width: int, model: Model, claim: Contrast) -> str:
    """One model."""
    start = f"{name:<{width}}  {model.mean:.3f}"
    if claim.estimate is None or claim.low is None or claim.high is None or claim.p is None:
        runs = model.these_runs
        interval = "" if runs.low is None or runs.high is None else f"{runs.low:+.3f} to {runs.high:+.3f}"
        return f"{start}  {runs.estimate:+10.3f}  {interval:<16}          of these runs only"
    interval = f"{claim.low:+.3f} to {claim.high:+.3f}"
    return f"{start}  {claim.estimate:+10.3f}  {interval}  {p_value(claim.p):>6}  {WORDS[model.verdict]}"


def pair_lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """A line per pair, largest difference first."""
    if pairs:
        yield "\nAll pairs"
    short = short_names([name for pair in pairs for name in (pair.a, pair.b)], WIDEST)
    for pair in pairs:
        name = f"{short[pair.a]} − {short[pair.b]}"
        interval = f"{pair.low:+.3f} to {pair.high:+.3f}"
        yield f"{name:<{2 * WIDEST + 3}}  {pair.estimate:+.3f}  {interval}  {p_value(pair.p):>6}"


def p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def ladder(found: Evidence) -> Iterator[tuple[str, str, str, str, str]]:
    """Three rungs, as `RUNGS` heads them: the claim, its sample, verdicts, and in per cent its error rates."""
    for letter, name in zip("abc", CLAIMS, strict=True):
        claims = {model: each.claims[name] for model, each in found.models.items()}
        one = claims[found.highest]
        seeds, most = (choose(c.n_seeds for c in claims.values()) for choose in (min, max))
        counted = plural(seeds, "seed") if seeds == most else f"{seeds} to {most} seeds"
        sample = f"{counted}, {plural(one.n_images, 'image')}, {plural(one.n_splits, 'training set')}"
        known = one.false_claim_rate is not None and one.power_at_margin is not None
        false, power = (f"{one.false_claim_rate:.0%}", f"{one.power_at_margin:.0%}") if known else ("", "")
        yield f"({letter}) {QUESTIONS[name]}", sample, verdicts(claims, name, found.highest), false, power


def verdicts(claims: Mapping[str, Contrast], name: str, highest: str) -> str:
    """Count of models by verdict, the `highest` only if it is the best; or the reason for no verdict."""
    if reason := why_none(claims, name):
        return f"no verdict: {reason}"
    compared = {model: claim for model, claim in claims.items() if claim.estimate is not None}
    judged = [claim for model, claim in compared.items() if model != highest or claim.verdict == "best"]
    totals = {word: sum(claim.verdict == word for claim in judged) for word in WORDS}
    return ", ".join(f"{n} {WORDS[word]}" for word, n in totals.items() if n)


def why_none(claims: Mapping[str, Contrast], name: str) -> str | None:
    """Reason why the claim has no verdict on any model; None if it has one."""
    if any(claim.estimate is not None for claim in claims.values()):
        return None
    if name == CLAIMS[2] and max(claim.n_splits for claim in claims.values()) > 1:
        return "models share one training set at most, which cannot show how much another would differ"
    return f"one {'training set' if name == CLAIMS[2] else 'seed'} cannot show how much another would differ"


def silent_claims(found: Evidence) -> Iterator[tuple[str, str]]:
    """Questions of `QUESTIONS` that no verdict answers, each with the reason."""
    for name in CLAIMS:
        if reason := why_none({model: each.claims[name] for model, each in found.models.items()}, name):
            yield QUESTIONS[name], reason


def next_steps(
    found: Evidence, more_seeds: Callable[[int], str] = lambda n: "", more_splits: str = ""
) -> Iterator[str]:
    """Sample sizes that would tell undecided models from the best.

    `more_seeds` and `more_splits` end the sentences on them with the command for so many seeds or other training sets.
    """
    open_ones = [(n, m) for n, m in found.models.items() if m.verdict == "cannot_tell" and n != found.highest]
    silent = [name for name, model in open_ones if model.claims[found.claim].needed is None]
    single = [name for name, model in found.models.items() if model.claims[found.claim].n_seeds == 1]
    undecided = sorted(
        ((name, model) for name, model in open_ones if name not in silent), key=lambda item: -item[1].mean
    )
    plans = {name: model.claims[found.claim] for name, model in undecided[:MOST_NAMES]}
    parts = [
        f"{name} ({claim.estimate:+.3f})".replace("(-", "(−") + f" {what_decides(claim)}"
        for name, claim in plans.items()
        if claim.needed
    ]
    if parts:
        more = len(undecided) - MOST_NAMES
        rest = f" {more} more {'is' if more == 1 else 'are'} undecided." if more > 0 else ""
        yield (
            f"To tell {found.highest} from those too close to it, with a chance of {POWER:.0%}:"
            f" {'; '.join(parts)}. Until then any of them may be the best.{rest}"
        )
    enough = {
        name: claim.needed.seeds
        for name, claim in plans.items()
        if claim.needed and claim.needed.seeds and not at_the_edge(claim)
    }
    if enough and (how := more_seeds(max(enough.values()))):
        yield f"{max(enough.values())} seeds of every model, enough for {join_names(list(enough))}{how}."
    if silent:
        who = "all models" if len(single) == len(found.models) else join_names(single or silent)
        first = "Train" if found.claim == CLAIMS[2] else "For (a) and (b), train"
        yield f"{first} {who} with at least 3 seeds{more_seeds(3)}."
    if found.claim != CLAIMS[2]:
        yield f"For (c), train on at least 3 training sets, each with test images of its own{more_splits}."


def at_the_edge(claim: Contrast) -> bool:
    """Whether the plan asks for a study as large as this one, which did not decide."""
    needed = claim.needed
    if needed is None:
        return False
    pairs = ((needed.seeds, claim.n_seeds), (needed.images, claim.n_images), (needed.splits, claim.n_splits))
    return any(n is not None and n <= now for n, now in pairs)


def what_decides(claim: Contrast) -> str:
    """Sample sizes that decide, in words."""
    needed = claim.needed or SampleSizes()
    if at_the_edge(claim):
        return "is a borderline case: another study of this size would decide"
    if not (needed.seeds or needed.images or needed.splits or needed.seeds_and_images):
        return f"{alternatives(needed)}, only a wider margin or photographs of another kind would"
    return f"takes {alternatives(needed)}"


def cautions(found: Evidence) -> Iterator[str]:
    """Assumptions behind the numbers."""
    yield from found.notes
    if is_single_try(found):
        yield (
            "Two intervals that do not overlap prove nothing here: they are over test images, and training again is not"
            " in them."
        )
    if found.luck is not None and found.luck >= 0.0005:
        top = found.models[found.highest]
        yield (
            f"Being the highest of {n_judged(found)} flatters a mean: {found.highest} by about"
            f" {found.luck:.3f}, so expect {top.mean - found.luck:.3f} of it."
        )
    if any(model.claims[found.claim].low is not None for model in found.models.values()):
        alike = any(model.verdict == "equivalent" for model in found.models.values())
        meaning = f" Equivalent: less than {found.margin:g} below the best." if alike else ""
        yield f"{holding(found)} the intervals of all differences hold at once.{meaning}"


def holding(found: Evidence) -> str:
    """In how many studies; fewer than promised if simulated ones like this have too many false claims."""
    rate = found.false_claim_rate or 0.0
    if rate <= LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / STUDIES):
        return "In 95 of 100 such studies"
    return f"In about {100 - 100 * rate:.0f} of 100 such studies, by simulation, and not in the promised 95,"
