"""Cells of the notebooks: explanations written by hand, and calls whose text and pictures come out of results.

A measured figure in an explanation is one that docs/ or sweeps/README.md states, with the command that made it; a test
compares.
"""

from __future__ import annotations

START = """%cd -q ROOT
from analysis.notebooks import show
from analysis.pull.study import pull

paths = PATHS
study = pull(paths)"""
"""The first cell; ROOT is the path from the notebook to the root of the project with its cache and results."""

BASELINE = """# 1 · The baseline and its two variants

The task: mark the pixels of a jigsaw piece in a photograph. There are few labelled photographs, so everything here is
about learning from little. The baseline is the U-Net of Ronneberger, Fischer and Brox, written from scratch, in two
variants that differ in one place: the upsampling of feature maps in the expanding path. Both start from random
weights. This notebook shows the model, its loss, its training, and the scores of the two."""

MODEL = """## The model

A U-Net has two paths. The *contracting* one halves the image four times and doubles the channels each time: deep
feature maps see much of the photograph, but place an outline badly. The *expanding* one doubles the size again and
joins, by a skip connection, the feature map of the same size from the way down: that one places it well.

`transposed` learns the upsampling, as four weights for each output pixel of a block. `bilinear` interpolates, which has
nothing to learn, and halves the channels by a convolution of one pixel. Three things differ from the paper, all usual
today: padded convolutions keep the size, BatchNorm follows each of them, and the input has three colours."""

SIZES = """### Feature maps, level by level

The same channels as in figure 1 of the paper. The sizes differ, because there each convolution cuts off a rim of one
pixel, so that the mask is smaller than the photograph; here it has the same size. Sides halve four times, so the side
of the input has to be a multiple of sixteen."""

LOSS = """### Softmax and binary cross-entropy

The head gives two numbers per pixel, the logits of background and foreground. Softmax makes two probabilities of them
that add up to one, so that of the foreground says all. Binary cross-entropy of that probability p against the mask y is
−y·log p − (1 − y)·log(1 − p), averaged over the pixels. Since 1 − p is the other softmax output, this picks the
logarithm of the probability of the true class. It is computed from the logits, because a probability that rounds to
zero has no logarithm."""

STORY = """### The story of a training

The optimizer is Adam. A *visit* goes once through the training images, in a new order and augmented anew; an *epoch* is
as many visits as the setting `repeats` says, then one look at the validation images, in evaluation mode. The weights
of the epoch with the lowest validation loss are kept, and those of the epoch with the highest validation IoU. The
U-Nets from scratch are tested with the latter, by the lab's rule; the other choice is shown below. Test images are
looked at once, after training. All scores are taken at the photograph's own size (docs/runs.md)."""

OVERFITTING = """# 2 · Overfitting

A network with millions of weights can learn ten photographs by heart. How would one notice, and what helps?"""

RECOGNISE = """## How to recognise it

Two signs, and both are read from the curves below.

1. **Generalisation gap**: training IoU minus validation IoU, at the same epoch. A gap alone is no harm: training images
   are always better known. A gap that grows is a warning.
2. **Divergence**: validation loss falls, has a minimum, and rises again, while training loss goes on falling. From that
   epoch on the model gets better at its training images and worse at all others. Often the loss rises first and IoU
   stays: the model becomes surer of its mistakes before it makes more of them.

Two traps. Training values are measured on *augmented* images in training mode while the weights still move, so they can
be below those of validation without anything being wrong. And a validation set of a few images is noisy: one
rise of one run is no rise. A verdict needs runs that agree, and a minimum well before the end; else it says *cannot
tell*, which is an answer as well: train longer, or with more seeds."""

REMEDIES = """## What was done against it

- **Augmentation**: turned, mirrored, shifted and recoloured photographs are new photographs at no cost, as long as the
  mask moves along (data/README.md shows every strength).
- **An early checkpoint**: the weights of the best validation epoch are kept and tested, so epochs after a minimum
  cost time, not accuracy. `patience` ends such runs early.
- **Pretraining**: weights that have seen other pictures need less from ours (notebook 3).
- **BatchNorm statistics** recomputed on up to 64 training images, if the running ones are not theirs (notebook 4).

`sweeps/augmentation.yaml` varies the strength for one model with random and with ImageNet weights, with three seeds."""

AUGMENTATION = """### The sweep over augmentation

Each strength, for one model with ImageNet or random weights, as far as they were trained. The stronger, the more varied
the photographs that the model has seen, and the longer it takes to learn them: a run that is too short makes strong
augmentation look bad."""

BACKBONES = """# 3 · Backbones and DeepLabV3+

A *backbone* replaces the contracting path by a network that was designed to recognise pictures. It is often said that
such a backbone is better. That mixes two questions: is the *architecture* better, or the *pretraining* that it comes
with? So the same backbone is trained twice, from random weights and from ImageNet's. A row of the table always says
which."""

DECODERS = """The backbones are of three kinds. A ResNet is dense and large; a MobileNet splits each convolution into a
spatial and a channel part, which is far less arithmetic; an EfficientNet (here Lite) balances depth, width and
resolution.

The decoders are two. The U-Net's expanding path joins features of every size. DeepLabV3+ takes the deepest features,
computed with *dilated* convolutions so that they are less small, looks at them at several dilations side by side
(atrous spatial pyramid pooling), and joins one early feature map for the outline."""

LADDER = """## Which differences are more than chance

Three claims are three different things, and each needs more than the one before:

1. *these runs* differ on *these images*: read it off;
2. the *models* differ on these images: the difference must be larger than that between seeds;
3. the models differ on *other photographs, trained on other photographs*: the difference must hold over test images and
   over training sets, for which `sweeps/evidence.yaml` has six folds.

A few test images prove little whatever the number of seeds. Where two models cannot be told apart, the better question
is whether they are *equivalent*: whether one is at most so far below the other that nobody would mind. That is a bound
on one side, so it can be shown where an interval of both sides reaches beyond the margin."""

FOLDS = """### Over folds and two seeds

Six folds test every labelled photograph once; here are those that were trained, each with the photographs of the others
to learn from. What holds here holds for other training images, too."""

DRAWN = """### Drawings instead of ImageNet

ImageNet is a million photographs of other things. Drawings of jigsaw pieces are free and come with exact masks, but no
drawing is a photograph. `sweeps/pretrain.yaml` trains each model on two hundred of them; `sweeps/drawn.yaml` goes on
with the photographs from these weights, from random ones, and from those of ImageNet."""

PAIRS = """The differences that the question asks for are those within an architecture. The intervals of one
architecture hold all at once in 95 of 100 such studies: for other photographs of this kind, and for networks trained
anew on the same ten."""

SEARCH = """The search over models, augmentation and learning rate:"""

SUMMARY = """# 4 · Insights, challenges, improvements

The result of the study, its challenges, the improvements that were tried, and the limits of so few photographs."""

CHALLENGES = """## Challenges met

- **BatchNorm that remembers its initial values.** The EfficientNets of the library update their running statistics by a
  hundredth a step. After the few hundred steps that ten images give, these are still near their initial values:
  the model trains perfectly and predicts nonsense. Validation IoU was 0.169 with running statistics and 0.911
  with statistics recomputed on up to 64 training images (same weights, mean of eight seeds, docs/runs.md). Every
  checkpoint is now scored both ways, and keeps the recomputed ones if they gain.
- **DeepLabV3+ and a batch of one.** It averages a feature map to one pixel, and BatchNorm of one value is undefined.
  With an odd number of images and a batch size of two, the last batch would have one. Batches are therefore cut as
  evenly as they can be, and a batch size of one is refused before anything starts.
- **Threads.** Two trainings side by side that both use all cores are many times slower than one after the other.
  Each gets its share of the cores, and keeps it when it is resumed, so that it goes on bit by bit.
- **Combinations that cannot be built.** Not every backbone can be dilated as DeepLabV3+ needs, nor every size halved
  five times. A model is tried without memory, in milliseconds, when the sweep is checked.
- **Weights without a hub.** If no model hub is in reach, ImageNet weights come from an installed package, and
  weights that learned from drawings (`weights: drawn`) from an earlier run.
- **Scores of different sizes.** One pixel of outline costs an IoU of 0.108 in a square of 128 pixels and 0.016 at the
  photographs' own size (docs/runs.md). Scores are therefore taken at that size, whatever size the model saw."""

TRIED = """## Improvements

Tried on the lab's photographs, each with three seeds, and what they gave:

| in place of | tried | IoU | measured with |
|---|---|---|---|
| random weights | ImageNet's | test: U-Net / lite0 +0.032, DeepLabV3+ / lite0 +0.038 | `sweeps/drawn.yaml` |
| random weights | those learned from drawings | test: +0.010 to +0.022, not told from chance | `sweeps/drawn.yaml` |
| light augmentation | strong, on ImageNet weights | test: −0.009 | `sweeps/augmentation.yaml` |
| 128 pixels, 32 visits | 96 pixels, 56 visits | validation: U-Net, transposed 0.914 → 0.943 | sweeps/README.md |
| constant learning rate | cosine schedule | validation: mean of three models 0.929 → 0.911 | `sweeps/schedule.yaml` |
| one prediction | the mean over eight symmetries | test: mean of eight models +0.016 | `bench.averaging` |
| one run | the mean over three runs | test: mean of eight models +0.015, with symmetries +0.022 | `bench.averaging` |

The first two stand in notebook 3 with their intervals, the third in notebook 2. ImageNet's weights help most. Means
over predictions helped each of the eight models, and need no other training. Strong augmentation and a falling learning
rate cost accuracy in trainings as short as these; longer ones may need them.

Next steps by the figures of *this* study:"""

LIMITS = """## Limits

Generated from this study: the conclusions that it is too small for."""

PAGES = """## On the W&B server

Runs write their curves, console and files to a W&B server while they train: an account, or the embedded server, whose
pages `make serve` opens again. {}"""
RUN = PAGES.format("The page of the best run of the whole study; validation is the solid line.")
ALL_CURVES = PAGES.format("All runs of the study by model; the area spans the runs of one.")
SWEEP = PAGES.format("The page of the sweep that this study is.")

MADE_WITH = "## Made with"

NOTEBOOKS: dict[str, list[tuple[str, str]]] = {
    "1_baseline": [
        (BASELINE, START),
        (
            MODEL,
            "from analysis.notebooks import source\n\n"
            'source.source("agent/training/models/unet.py", "DoubleConv", "Up", "UNet")',
        ),
        (SIZES, "source.levels()"),
        (LOSS, 'source.source("agent/training/loop.py", "bce")'),
        (STORY, 'source.source("agent/training/loop.py", "train_epoch")'),
        (
            "## Which of the two is better?",
            'unets = show.part(study, study.runs["backbone"] == "none")\nshow.answer(unets)',
        ),
        ("### On the test images", "show.table(unets)"),
        ("", "show.differences(unets)"),
        ("The same by the other rule: the effect of the choice of the checkpoint.", "show.table(unets, 1)"),
        ("### Learning curves", "show.curves(unets)"),
        ("Their verdicts on overfitting, which notebook 2 explains.", "show.verdicts(unets)"),
        ("### Masks", "show.masks(unets)"),
        (RUN, 'show.page(show.part(study), "run")'),
        (MADE_WITH, "show.facts(unets)"),
    ],
    "2_overfitting": [
        (OVERFITTING, START),
        (RECOGNISE, "every = show.part(study)\nshow.curves(every)"),
        ("## Verdicts on the curves", "show.verdicts(every)"),
        (REMEDIES, "show.effects(every)"),
        (AUGMENTATION, 'augmentation_sweep = show.beside(paths, "augmentation")\nshow.table(augmentation_sweep)'),
        ("", "show.curves(augmentation_sweep)"),
        ("", "show.effects(augmentation_sweep)"),
        ("Every difference between two strengths, with its interval:", 'show.pairs(augmentation_sweep, "weights")'),
        (
            "## Effect of the other choice of checkpoint\n\n"
            "Loss and IoU need not have their best epoch in common: loss also counts how sure the model is.",
            "show.table(every, 1)",
        ),
        (ALL_CURVES, 'show.page(every, "curves")'),
    ],
    "3_backbones": [
        (BACKBONES, START),
        (DECODERS, 'backbones = show.part(study, study.runs["backbone"] != "none")\nshow.answer(backbones)'),
        ("## On the test images", "show.table(backbones)"),
        ("", "show.intervals(backbones)"),
        (LADDER, "show.differences(backbones)"),
        (FOLDS, 'evidence_sweep = show.beside(paths, "evidence")\nshow.answer(evidence_sweep)'),
        ("", "show.differences(evidence_sweep)"),
        (DRAWN, 'drawn_sweep = show.beside(paths, "drawn")\nshow.table(drawn_sweep)'),
        (PAIRS, 'show.pairs(drawn_sweep, "architecture")'),
        ("## DeepLabV3+ alone", 'show.answer(show.part(study, study.runs["architecture"] == "deeplabv3plus"))'),
        (
            "## Costs\n\n"
            "Parameters are bytes on the disk, multiply-accumulates are work, and seconds are the time of it here. "
            "Less work is not always less time: depthwise convolutions keep a processor waiting for memory.",
            "show.table(backbones, 3)",
        ),
        ("## Masks", "show.masks(backbones)"),
        (SWEEP, 'show.page(show.part(study), "sweep")'),
    ],
    "4_summary": [
        (SUMMARY, START),
        ("## Insights", "every = show.part(study)\nshow.answer(every)"),
        ("", "show.intervals(every)"),
        ("Importance of settings:", "show.importance(every)"),
        ("", "show.importances(every)"),
        (SEARCH, 'search_sweep = show.beside(paths, "cpu_search")\nshow.importance(search_sweep)'),
        ("", 'show.page(search_sweep, "sweep")'),
        (f"{CHALLENGES}\n\n{LIMITS}", "show.limits(every)"),
        (
            "The hardest test images. Where all models fail at one place, suspect the photograph or its mask first.",
            "show.hard(every)",
        ),
        ("Limits of the table.", "show.notes(every)"),
        (TRIED, "show.improvements(every)"),
        (RUN, 'show.page(every, "run")'),
        (MADE_WITH, "show.facts(every)"),
    ],
}
"""Name → (text above, code) of every pair of cells; an empty text is no cell."""
