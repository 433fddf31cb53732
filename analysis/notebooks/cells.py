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

`transposed` learns the upsampling: a transposed convolution of kernel 2 and stride 2 turns each pixel into 2 × 2
pixels, and each of these four places has weights of its own. `bilinear` interpolates, which has nothing to learn, and
halves the channels by a convolution of one pixel.

The model departs from the paper in four points, all usual today: padded convolutions keep the size, BatchNorm follows
each of them, the input has three colours, and there is no dropout at the end of the contracting path. So does the
training: Adam takes the place of gradient descent with momentum, and every pixel counts alike in the loss, where the
paper gives more weight to the borders between touching cells."""

SIZES = """### Feature maps, level by level

A row is the output of a level, after its two convolutions. At the paper's width, 64 channels on the first level, the
channels are those of its figure 1. The sizes differ, because no convolution there is padded: each cuts off a rim of one
pixel. The mask is then smaller than the photograph, and a skip connection has to crop what it copies. Here both have
the same size. Sides halve four times, so the side of the input has to be a multiple of sixteen.

Width and image size are settings. The last column has those of the runs in this notebook: scores below are theirs, not
those of the paper's width, which stand at the end."""

LOSS = r"""### Softmax and binary cross-entropy

The head gives two numbers per pixel, the logits $z_0$ of background and $z_1$ of foreground. Softmax makes two
probabilities of them that add up to one:

$$p = \frac{e^{z_1}}{e^{z_0} + e^{z_1}} = \frac{1}{1 + e^{-(z_1 - z_0)}}$$

is that of the foreground, and $1 - p$ that of the background. Two logits with softmax are therefore one logit,
$z_1 - z_0$, with a sigmoid. The larger logit decides on the predicted mask.

Binary cross-entropy (BCE) compares $p$ with the mask, where $y$ is 1 inside the piece and 0 outside:

$$L = -y \log p - (1 - y) \log (1 - p)$$

averaged over the pixels. For each pixel one of the two terms is zero. What stays is minus the logarithm of the
probability of the true class: 0 where the model is sure and right, without bound where it is sure and wrong. So the
loss can rise while the mask stays as it is. It is computed from the logits, because a probability that rounds to zero
has no logarithm."""

STORY = """### The story of a training

A *step* takes a batch of images forward, computes the loss and its gradient, and lets the optimizer, Adam, change the
weights. A *visit* goes once through the training images, in a new order and augmented anew. An *epoch* is as many
visits as the setting `repeats` says, then one look at the validation images, in evaluation mode and not augmented. The
weights of the epoch with the lowest validation loss are kept, and those of the epoch with the highest validation IoU.
The U-Nets from scratch are tested with the latter, by the lab's rule; the other choice is shown below. Test images are
looked at once, after training. All scores of validation and test are taken at the photograph's own size
(docs/runs.md). The settings of these runs stand at the end."""

METRICS = """### On the test images

A pixel is true positive (TP), false positive (FP), false negative (FN) or true negative (TN), with the foreground as
positive. The counts are summed over the pixels of all test images before the ratios are taken:

| IoU | F1 (Dice) | precision | recall | accuracy |
|---|---|---|---|---|
| TP / (TP + FP + FN) | 2 TP / (2 TP + FP + FN) | TP / (TP + FP) | TP / (TP + FN) | (TP + TN) / all |

Of one mask F1 is 2 IoU / (1 + IoU), so both order masks alike. Precision falls with what is too much, recall with what
is missing. Accuracy counts the background as well: a mask that finds nothing still gets all of that right."""

UNET_CURVES = """### Learning curves

The line is the mean of the runs, the band goes from the lowest to the highest, and each mark is the best epoch of one
run. Both losses should fall together.

In single epochs the IoU of a validation falls deep while that of training does not, and where training goes on it
returns after an epoch or two. That is no overfitting, which stays. A likely cause is BatchNorm: in evaluation mode it
normalises by running statistics, an average over the last steps, and these may not fit the weights of the moment. Such
epochs are scored a second time, with statistics recomputed from the training images, and shown with the better score.
In docs/study/cpu, drawn and augmentation IoU was then within 0.1 of the best in most of them (notebook 4); what is left
are falls that have another cause. An epoch like that is not tested, because the tested one is a best one."""

MASKS = """### Masks

White and black are right. Three kinds of errors look different: a rim along the outline, from an outline that is
blurred or shifted; a hole in the piece; an island outside it. Holes and islands are mistakes of recognition. Much of
the rim comes from the image size, because a model cannot see what is finer than a pixel of its input."""

LARGE = """## At 512 pixels and the paper's width

The two as the sheet asks for them: 512 × 512 pixels, 64 channels on the first level, 80 visits, a constant learning
rate of 0.001 (`sweeps/lab.yaml`, docs/study/lab). Each takes a processor core almost six hours, so there is one run of
each, and their order proves nothing."""

FALLS = """In nine and eleven of the twenty epochs of docs/study/lab, IoU of validation lies over 0.1 below the best so
far. The nine are among the eleven: both runs see the same photographs in the same order. Statistics recomputed from
the training images gain up to 0.28 there, and do not undo the fall. It is not what overfitting looks like: IoU of
training stays level, and after eight such falls transposed convolution has its best epoch. The likely reason is a
learning rate that is high for models of this width and stays so to the end; no run here tests that. These epochs are
not tested, for the rule takes the one of the highest IoU: 17 with transposed convolution, 12 with bilinear upsampling.

Their masks:"""

OVERFITTING = """# 2 · Overfitting

A network with millions of weights can learn ten photographs by heart. How would one notice, and what helps?"""

RECOGNISE = """## How to recognise it

Two signs, and both are read from learning curves.

1. **Generalisation gap**: training IoU minus validation IoU, at the same epoch. A gap alone is no harm: training images
   are usually known better. A gap that grows is a warning.
2. **Divergence**: validation loss falls, has a minimum, and rises again, while training loss goes on falling. From that
   epoch on the model gets better at its training images and worse at all others. Often the loss rises first and IoU
   stays: the model becomes surer of its mistakes before it makes more of them.

Two traps. Training values are measured on *augmented* images in training mode while the weights still move, so training
IoU can be below that of validation without anything being wrong. And a validation set of a few images is noisy: one
rise of one run is no rise. A verdict needs runs that agree, and a minimum well before the end; else it says *cannot
tell*, which is an answer as well: train longer, or with more seeds.

First the curves of this study. The sweep over augmentation, below, trains longer, and shows both signs."""

VERDICTS = """## Verdicts on the curves

*Overfits*: validation loss rises after its minimum by more than chance, while training loss falls by 5 % or more.
*Diverges*: the same rise, while training loss does not fall so. The minimum is found on some runs and the rise measured
on another, because the lowest of many noisy values always has higher ones after it."""

REMEDIES = """## What was done against it

- **Augmentation**: turned, mirrored, shifted and recoloured photographs are new photographs at no cost, as long as the
  mask moves along (data/README.md shows every strength).
- **An early checkpoint**: the weights of the best validation epoch are kept and tested, so epochs after a minimum
  cost time, not accuracy. `patience` ends such runs early.
- **Pretraining**: weights that have seen other pictures need less from ours (notebook 3).

`sweeps/augmentation.yaml` varies the strength for one model with random and with ImageNet weights, with three seeds."""

AUGMENTATION = """### The sweep over augmentation

Each strength, for one model with ImageNet or random weights, as far as they were trained. The stronger, the more varied
the photographs that the model has seen, and the longer it takes to learn them: a run that is too short makes strong
augmentation look bad."""

TEXTBOOK = """What to see in the curves of docs/study/augmentation, three runs in each panel:

- *From scratch, none* is overfitting as in a textbook. Training loss ends below 0.01 in all three runs. Validation loss
  has its minimum at epoch 4, 5 or 8 and ends above it, and the gap grows to +0.101. IoU is highest nine epochs
  after the lowest loss, in every run: the model becomes surer of its mistakes before it makes more of them.
- The verdict on it is *cannot tell* all the same. The three runs rise by amounts too different for a rise of their mean
  beyond chance. A verdict is stricter than the eye, and the gap is the clearer sign here.
- *ImageNet, none* fits its ten photographs even better, with the lowest training loss of all panels. Yet its gap is
  only +0.019: what the weights bring along holds for other photographs, too.
- *Strong*: training IoU lies below that of validation, because augmented images are harder. The gap is negative, which
  does not make the model a better one."""

STRENGTHS = """Every difference in test IoU between two strengths, with an interval. The intervals with the same
weights hold at once. In docs/study/augmentation one of them does not reach zero: on ImageNet's weights light is better
than strong. What light augmentation gives from random weights shows in the curves; in the test scores three seeds do
not tell it from chance."""

CHECKPOINT = """## Effect of the other choice of checkpoint

Both rules stop early, one by loss and one by IoU. The two need not have their best epoch in common: loss also counts
how sure the model is."""

BACKBONES = """# 3 · Backbones and DeepLabV3+

A *backbone* replaces the contracting path by a network that was designed to recognise pictures. It is often said that
such a backbone is better. That mixes two questions: is the *architecture* better, or the *pretraining* that it comes
with? To part them, the same backbone has to be trained twice, from random weights and from ImageNet's. The sweep
`drawn`, below, does that with lite0, and so does `evidence`. A study like docs/study/cpu cannot answer it: there lite0
has ImageNet's weights and the other backbones have random ones, since weights of those come from a model hub only
(notebook 4). A row of the table always says which."""

DECODERS = """## The models

The backbones are of three kinds. A ResNet has ordinary 3×3 convolutions, and most parameters. A MobileNet splits each
convolution into a spatial (*depthwise*) and a channel part, which is far less arithmetic. An EfficientNet stacks blocks
of that kind, and balances depth, width and resolution; Lite leaves out what small devices cannot compute fast.

The decoders are two. The U-Net's expanding path joins features of every size. DeepLabV3+ has *dilated* convolutions in
the last stage of the backbone, so that its features keep a sixteenth of the side instead of a thirty-second. It looks
at them at several dilations side by side (atrous spatial pyramid pooling), joins one early feature map of a quarter of
the side for the outline, and enlarges its prediction from there to the full size.

Both come from the library `segmentation_models_pytorch`, which builds either on any backbone that suits it:"""

BEST = """## Which is the best?

The sentences are made from the scores. What the questions (a), (b) and (c) mean stands below the table."""

LADDER = """## Which differences are more than chance

Four claims are four different things, and each needs more than the one before:

1. *these runs* differ on *these images*: read it off;
2. (a) the *models* differ on these images, when trained again: the difference must be larger than that between seeds;
3. (b) they differ on *new test images*, too: the difference must hold over the test images;
4. (c) they differ when *trained on other photographs*: the difference must hold over training sets as well, for which
   `sweeps/evidence.yaml` has six folds.

With one training set the verdict in a table is on (b), with several on (c). All models of a table are judged at once,
and the more there are, the wider are the intervals: the same runs can be *worse* among six models and *cannot tell*
among eight (notebook 4).

A few test images prove little whatever the number of seeds. Where two models cannot be told apart, the better question
is whether they are *equivalent*: whether one is at most so far below the other that nobody would mind. That is a bound
on one side, as in a test of non-inferiority, so it can be shown where an interval of both sides reaches beyond the
margin."""

FOLDS = """### Over folds and two seeds

Six folds test every labelled photograph once, each with the photographs of the others to learn from. What is found
here at (c), and only that, holds for other training images, too."""

FOLD_PAIRS = """The question of this notebook is asked of one backbone at a time: pretraining with the architecture
held, and the architecture with the weights held. These intervals hold at once within a backbone. They are narrower than
those of ten models, which ask 45 questions at once. In docs/study/evidence three such differences hold for other
training photographs:

- ImageNet's weights against random ones in the U-Net on lite0, +0.092 [+0.021, +0.163];
- the same in DeepLabV3+ on lite0, +0.097 [+0.014, +0.180];
- U-Net against DeepLabV3+ on mobilenet_v2, both from random weights, +0.045 [+0.014, +0.077]."""

DRAWN = """### Pretraining apart from the backbone: ImageNet, drawings, random weights

ImageNet is a million photographs of other things. Drawings of jigsaw pieces are free and come with exact masks, but no
drawing is a photograph. `sweeps/pretrain.yaml` trains each model on two hundred of them; `sweeps/drawn.yaml` goes on
with the photographs from these weights, from random ones, and from those of ImageNet."""

PAIRS = """The differences that the question asks for are those within an architecture. The intervals of one
architecture hold all at once in 95 of 100 such studies: for other photographs of this kind, and for networks trained
anew on the same ten."""

ALONE = """In docs/study/drawn ImageNet's weights are better than random ones with all else equal: by
0.032 [0.016, 0.047] in the U-Net and by 0.038 [0.016, 0.059] in DeepLabV3+, n = 3 seeds, 4 test images. The usual
reason, which no run here tests: the first layers respond to edges and textures already, so ten photographs need not
teach them. Whether one *backbone* is better than another is a different question, and takes equal weights: `evidence`
has all three from random ones.

## DeepLabV3+ alone

On lite0 it is below the U-Net with each of the three kinds of weights in the table above. A likely reason is its
coarseness. At 96 pixels the deepest map has 6 × 6 pixels, on which a kernel dilated by 12 or more sees nothing but its
middle, and the prediction has 24 × 24 before it is enlarged. No run tests this reason by itself. At 512 pixels
(docs/study/lab, one seed) DeepLabV3+ is below the U-Net on lite0 again, but above it on resnet18."""

LARGE_MODELS = """## At 512 pixels

The sheet's ten models as it asks for them, 512 × 512 pixels and 80 visits (`sweeps/lab.yaml`, docs/study/lab). Scores
of one run each can be read off; an order of the models they do not prove."""

COSTS = """## Costs

Parameters are memory, four bytes each. Multiply-accumulates (MACs) are arithmetic, the same on every machine. Seconds
are what a machine makes of it, and other work on it disturbs them. Fewer MACs need not be faster in proportion:
depthwise convolutions read much memory for little arithmetic."""

SEARCH = """The search over models, augmentation and learning rate (docs/study/cpu_search) has configurations enough:"""

SEARCH_PAGE = """Its page on the W&B server; each line through the axes is a run, from its settings to its IoU:"""

SUMMARY = """# 4 · Insights, challenges, improvements

The results of the studies and their reasons, the challenges met, the improvements that were tried, and the limits of
so few photographs."""

INSIGHTS = """## Insights

From the studies in docs/study, all on the lab's photographs. What is said of test images is said of the same four, but
for the six folds, which test all eighteen:

1. **Pretraining gives most.** With all else equal, ImageNet's weights gain 0.032 in the U-Net and 0.038 in DeepLabV3+
   (notebook 3). Over six folds they gain 0.092 and 0.097, and that holds with other training photographs. In the search
   weights explain more of the variance of validation IoU than any other setting. The usual reason: the first layers
   know edges and textures already.
2. **Transposed or bilinear upsampling cannot be told apart**: 0.945 and 0.955 (notebook 1). A likely reason: two
   learned convolutions follow either, and can make good what an interpolation lacks.
3. **DeepLabV3+ is below the U-Net on the same backbone**, lite0 with ImageNet's weights: 0.903 and 0.956 at 96 pixels,
   0.952 and 0.980 at 192. Over six folds it is 0.045 below on mobilenet_v2, both from random weights; on the other
   backbones they cannot be told apart there. A likely reason: it predicts at a quarter of the side (notebook 3).
4. **Overfitting shows in the loss before it shows in IoU, and light augmentation delays it.** From random weights the
   lowest validation loss comes 11 epochs of 20 later, and the gap falls from +0.101 to +0.003 (notebook 2).
5. **More augmentation is not better.** On ImageNet's weights strong is 0.009 [0.001, 0.017] below light in 80 visits:
   the images are harder, and the training is short.
6. **Few test images decide little.** Among eight models on four images, with three seeds, a difference of 0.041 is not
   told from chance (docs/study/drawn); among ten and over six training sets not even 0.133 (docs/study/evidence).

The answer of this study:"""

CHALLENGES = """## Challenges met

- **BatchNorm that remembers its initial values.** The library's own EfficientNets update their running statistics by a
  hundredth a step. After a hundred steps, which ten images give in twenty epochs, more than a third of the initial
  values is still in them: the model trains well and predicts nonsense. Validation IoU of an EfficientNet-B0 was 0.169
  with running statistics and 0.911 with statistics recomputed on up to 64 training images (same weights, mean of eight
  seeds, docs/runs.md). Every checkpoint is now scored both ways, and keeps the recomputed ones if they gain more than
  0.02. Other backbones, lite0 among them, update by a tenth a step; theirs do not fit in single epochs (notebook 1).
- **DeepLabV3+ and a batch of one.** It averages a feature map to one pixel, and BatchNorm of one value is undefined.
  With an odd number of images and a batch size of two, the last batch would have one. Batches are therefore cut as
  evenly as they can be, and a batch size of one is refused before anything starts.
- **Threads.** Two trainings side by side that both use all cores can be many times slower than one after the other:
  threads that wait for each other spin, and take the cores from those that work. Each training gets its share of the
  cores, and keeps it when it is resumed, so that it goes on bit by bit.
- **Combinations that cannot be built.** Not every backbone can be dilated as DeepLabV3+ needs, nor every size halved
  five times. A model is tried without memory, in milliseconds, when the sweep is checked.
- **Weights without a hub.** If no model hub is in reach, ImageNet weights come from an installed package, which is
  there for EfficientNet Lite only. Weights that learned from drawings (`weights: drawn`) come from an earlier run.
- **Scores of different sizes.** One pixel of outline costs an IoU of 0.108 in a square of 128 pixels and 0.016 at the
  photographs' own size (docs/runs.md). Scores are therefore taken at that size, whatever size the model saw."""

TRIED = """## Improvements

Tried on the lab's photographs, each with three seeds, and what they gave:

| in place of | tried | IoU | measured with |
|---|---|---|---|
| random weights | ImageNet's | test: U-Net / lite0 +0.032, DeepLabV3+ / lite0 +0.038 | `sweeps/drawn.yaml` |
| random weights | those learned from drawings | test: +0.010 to +0.022, not told from chance | `sweeps/drawn.yaml` |
| light augmentation | strong, on ImageNet weights | test: −0.009 | `sweeps/augmentation.yaml` |
| 128 pixels, 32 visits | 96 pixels, 56 visits | validation: U-Net, transposed 0.914 → 0.943; U-Net / resnet18 \
0.917 → 0.936; U-Net / lite0 0.955 → 0.955 | sweeps/README.md |
| 56 visits | 72 visits | validation, mean of eight models: 0.916 → 0.923 | sweeps/README.md |
| constant learning rate | cosine schedule | validation, mean of three models: 0.929 → 0.911 at learning rate 0.001, \
0.922 → 0.925 at 0.002 | `sweeps/schedule.yaml` |
| one prediction | the mean over eight symmetries | test: mean of eight models +0.018 | `bench.averaging` |
| one run | the mean over three runs | test: mean of eight models +0.013, with symmetries +0.022 | `bench.averaging` |

The first two stand in notebook 3 with their intervals, the third in notebook 2; the others have no interval. ImageNet's
weights gain most in the test. Means over predictions helped each of the eight models, and that over symmetries needs no
other training. A falling learning rate did not help: lower at one rate, level at the other. Strong augmentation and
a schedule may need trainings longer than these.

Next steps by the figures of *this* study:"""

LIMITS = """## Limits

Three are of the design. All models have one learning rate, and a rate of its own might change the place of one; in the
search learning rate explained no more than chance would. The U-Nets from scratch are tested by another rule than the
others, which moves a lead by what the first sentences of this notebook say. And validation images that choose a
checkpoint are as few as those that test it.

The others are made from this study: the conclusions that it is too small for."""

RUN = """## On the W&B server

Runs write their curves, console and files to a W&B server while they train: an account, or the embedded server, whose
pages `make serve` opens again. This is the page of the best run of the whole study, whatever its model; validation is
the solid line. `bn_gap` is what recomputed BatchNorm statistics gain (notebook 4)."""
ALL_CURVES = """## On the W&B server

The same curves as the server draws them (notebook 1 says which server), all runs of the study on two axes. Colours are
models, the area spans the runs of one, training is dashed."""
SWEEP = """## On the W&B server

The page of the sweep that this study is. Each line through the axes below is a run, from its settings to its validation
IoU."""

MADE_WITH = "## Made with"

NOTEBOOKS: dict[str, list[tuple[str, str]]] = {
    "1_baseline": [
        (BASELINE, START),
        (
            MODEL,
            "from analysis.notebooks import source\n\n"
            'source.source("agent/training/models/unet.py", "DoubleConv", "Up", "UNet")',
        ),
        (SIZES, "source.levels(study.runs)"),
        (LOSS, 'source.source("agent/training/loop.py", "bce")'),
        (STORY, 'source.source("agent/training/loop.py", "train_epoch")'),
        (
            "## Which of the two is better?\n\n"
            "The sentences are made from the scores. Notebook 3 explains the questions (a), (b) and (c).",
            'unets = show.part(study, study.runs["backbone"] == "none")\nshow.answer(unets)',
        ),
        (METRICS, "show.table(unets)"),
        ("The same by the other rule: the effect of the choice of the checkpoint.", "show.table(unets, 1)"),
        (UNET_CURVES, "show.curves(unets)"),
        ("Their verdicts on overfitting, which notebook 2 explains.", "show.verdicts(unets)"),
        (MASKS, "show.masks(unets)"),
        (LARGE, 'lab_sweep = show.beside(paths, "lab", "none")\nshow.table(lab_sweep)'),
        ("", "show.curves(lab_sweep)"),
        (FALLS, "show.masks(lab_sweep)"),
        (RUN, 'show.page(show.part(study), "run")'),
        (MADE_WITH, "show.facts(unets)"),
    ],
    "2_overfitting": [
        (OVERFITTING, START),
        (RECOGNISE, "every = show.part(study)\nshow.curves(every)"),
        (VERDICTS, "show.verdicts(every)"),
        (
            f"{REMEDIES}\n\n{AUGMENTATION}",
            'augmentation_sweep = show.beside(paths, "augmentation")\nshow.table(augmentation_sweep)',
        ),
        ("", "show.curves(augmentation_sweep)"),
        (TEXTBOOK, "show.verdicts(augmentation_sweep)"),
        (STRENGTHS, 'show.pairs(augmentation_sweep, "weights")'),
        (CHECKPOINT, "show.table(every, 1)"),
        (ALL_CURVES, 'show.page(every, "curves")'),
    ],
    "3_backbones": [
        (BACKBONES, START),
        (
            DECODERS,
            "from analysis.notebooks import source\n\n"
            'source.source("agent/training/models/smp.py", "build", "_construct")',
        ),
        (BEST, 'backbones = show.part(study, study.runs["backbone"] != "none")\nshow.answer(backbones)'),
        ("## On the test images", "show.table(backbones)"),
        ("", "show.intervals(backbones)"),
        (LADDER, "show.differences(backbones)"),
        (FOLDS, 'evidence_sweep = show.beside(paths, "evidence")\nshow.answer(evidence_sweep)'),
        ("", "show.differences(evidence_sweep)"),
        (FOLD_PAIRS, 'show.pairs(evidence_sweep, "backbone")'),
        (DRAWN, 'drawn_sweep = show.beside(paths, "drawn")\nshow.table(drawn_sweep)'),
        (PAIRS, 'show.pairs(drawn_sweep, "architecture")'),
        (ALONE, 'show.answer(show.part(study, study.runs["architecture"] == "deeplabv3plus"))'),
        (COSTS, "show.table(backbones, 3)"),
        ("## Masks", "show.masks(backbones)"),
        (LARGE_MODELS, 'lab_sweep = show.beside(paths, "lab")\nshow.table(lab_sweep)'),
        (SWEEP, 'show.page(show.part(study), "sweep")'),
    ],
    "4_summary": [
        (SUMMARY, START),
        (INSIGHTS, "every = show.part(study)\nshow.answer(every)"),
        ("", "show.intervals(every)"),
        ("Which settings explain the validation IoU of this study:", "show.importance(every)"),
        (SEARCH, 'search_sweep = show.beside(paths, "cpu_search")\nshow.importance(search_sweep)'),
        ("", "show.importances(search_sweep or every)"),
        (SEARCH_PAGE, 'show.page(search_sweep or every, "sweep")'),
        (f"{CHALLENGES}\n\n{LIMITS}", "show.limits(every)"),
        (
            "The hardest test images. Where all models fail at one place, suspect the photograph or its mask first.",
            "show.hard(every)",
        ),
        ("Limits of the table.", "show.notes(every)"),
        (TRIED, "show.improvements(every)"),
        (MADE_WITH, "show.facts(every)"),
    ],
}
"""Name → (text above, code) of every pair of cells; an empty text is no cell."""
