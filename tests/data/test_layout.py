"""Which file is which: folder names, pairing by name, splits."""

from collections import Counter
from pathlib import Path

import pytest

from data.__main__ import main
from data.dataset import load_dataset
from data.layout import default_sizes, find
from tests.data.folders import couple, handout, noise, problems, save, square


def pairs(folder: Path, images: list[str], masks: list[str]) -> set[tuple[str, str]]:
    """Pair files of these names; nothing has to be in them."""
    for kind, names in (("images", images), ("masks", masks)):
        for name in names:
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    items = find(folder, split_seed=0).items
    return {(item.image.name if item.image else "-", item.mask.name if item.mask else "-") for item in items}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.png", "a.png"),
        ("a.JPG", "A.Png"),
        ("b.jpeg", "b.TIF"),
        ("image-36.png", "mask-36_3.png"),
        ("image-36.png", "mask_036.png"),
        ("piece_a.jpg", "piece_a_mask.png"),
        ("IMG_20240131_120000.jpg", "IMG_20240131_120000_mask.png"),
        ("DSC0042.jpg", "42.png"),
        ("image.png", "mask.png"),
    ],
)
def test_a_mask_belongs_to_the_image_of_its_name_or_number(tmp_path: Path, image: str, mask: str) -> None:
    assert pairs(tmp_path, [image], [mask]) == {(image, mask)}


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("image-3 image-36", "mask-36_3 mask-3_36", "image-3=mask-3_36 image-36=mask-36_3"),
        ("left-1 right-1", "left-1 right-1_mask", "left-1=left-1 right-1=right-1_mask"),
        ("i-2024 i-2024-1", "m-2024-1-0 m-2024_9", "i-2024=m-2024_9 i-2024-1=m-2024-1-0"),
        ("cat_1 cat_2 dog_3", "cat_1_mask cat_2_mask bird_3", "cat_1=cat_1_mask cat_2=cat_2_mask dog_3= =bird_3"),
        ("cat_1 cat_2 cat_3", "cat_1_mask cat_2_mask bird_3", "cat_1=cat_1_mask cat_2=cat_2_mask cat_3= =bird_3"),
        ("cat_1 dog_2", "1 2", "cat_1= dog_2= =1 =2"),
        ("cat_1 dog_2", "cat_1_7 dog_2_9", "cat_1=cat_1_7 dog_2=dog_2_9"),
        ("scan_1 scan_2", "outline_1 outline_2", "scan_1=outline_1 scan_2=outline_2"),
        ("a-1 a1", "a-1 a1", "a-1=a-1 a1=a1"),
        ("a-1 a1", "a-1_mask a1_mask", "a-1=a-1_mask a1=a1_mask"),
        ("a-1 a1", "a_1", "a-1= a1= =a_1"),
        ("a A", "a A", "a=a A=A"),
        ("img1 img10", "img10_mask img1_mask", "img1=img1_mask img10=img10_mask"),
        ("img1 img10", "mask10 mask1", "img1=mask1 img10=mask10"),
        ("7 007", "7_gt 007_gt", "7=7_gt 007=007_gt"),
        ("img_7", "img_007-seg", "img_7=img_007-seg"),
        ("2024-01-05_a 2024-01-05_b", "mask-2024-01-05_a", "2024-01-05_a=mask-2024-01-05_a 2024-01-05_b="),
        ("2024-01-05 2024-01-15", "2024-01-15-gt 2024-01-05-gt", "2024-01-05=2024-01-05-gt 2024-01-15=2024-01-15-gt"),
        ("cafe\u0301", "caf\u00e9_mask", "cafe\u0301=caf\u00e9_mask"),
        ("cafe\u0301 cafe", "caf\u00e9 cafe", "cafe\u0301=caf\u00e9 cafe=cafe"),
        ("train_1 test_2", "mask_1 mask_2", "train_1=mask_1 test_2=mask_2"),
    ],
)  # fmt: skip
def test_equal_names_pair_first_then_the_longest_number_and_a_number_alone_only_where_all_names_are_alike(
    tmp_path: Path, images: str, masks: str, expected: str
) -> None:
    found = pairs(tmp_path, *([f"{name}.png" for name in names.split()] for names in (images, masks)))
    wanted = [pair.partition("=") for pair in expected.split()]
    assert found == {tuple(f"{name}.png" if name else "-" for name in (a, b)) for a, _, b in wanted}


def test_names_are_alike_in_all_splits_or_in_none(tmp_path: Path) -> None:
    couple(tmp_path / "train", (1, 2))
    couple(tmp_path / "test", (4,))
    save(tmp_path / "val/images/dog_3.png", noise("3"))
    bird = save(tmp_path / "val/masks/bird_3.png", square())
    listing = find(tmp_path, split_seed=0)
    assert [item.mask for item in listing.items if item.split == "val"] == [None, bird]


def test_a_split_file_may_write_accents_another_way(tmp_path: Path) -> None:
    couple(tmp_path, (1, 2))
    save(tmp_path / "images/cafe\u0301.png", noise("3"))
    save(tmp_path / "masks/cafe\u0301.png", square())
    (tmp_path / "split.csv").write_text("image,split\nimage-1,train\nimage-2,val\ncaf\u00e9,test\n")
    assert [pair.name for pair in load_dataset(tmp_path).test] == ["cafe\u0301"]


@pytest.mark.parametrize(
    ("train", "val", "images", "masks"),
    [
        ("train", "val", "images", "masks"),
        ("Training", "validation", "image", "mask"),
        ("TRAIN", "Valid", "IMG", "Labels"),
        ("train", "VALIDATION", "imgs", "label"),
    ],
)
def test_folders_are_found_under_their_usual_names(
    tmp_path: Path, train: str, val: str, images: str, masks: str
) -> None:
    handout(tmp_path)
    (tmp_path / "train/images").rename(tmp_path / "train" / images)
    (tmp_path / "train/masks").rename(tmp_path / "train" / masks)
    (tmp_path / "train").rename(tmp_path / train)
    (tmp_path / "val").rename(tmp_path / val)
    listing = find(tmp_path, split_seed=0)
    assert listing.problems == []
    assert Counter(item.split for item in listing.items) == {"train": 3, "val": 1, "test": 1}


def test_hidden_files_count_for_nothing(tmp_path: Path) -> None:
    handout(tmp_path)
    for name in (".DS_Store", "._image-1.png", ".image-99.png"):
        (tmp_path / "train/images" / name).write_bytes(b"\0")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "__MACOSX").mkdir()
    assert len(load_dataset(tmp_path).train) == 3
    assert find(tmp_path, split_seed=0).ignored == []


@pytest.mark.parametrize(
    ("n", "train", "held_out"), [(3, 1, 1), (4, 2, 1), (9, 5, 2), (10, 6, 2), (18, 10, 4), (36, 20, 8), (100, 56, 22)]
)
def test_a_seeded_split_keeps_ten_to_four_to_four(n: int, train: int, held_out: int) -> None:
    assert default_sizes(n) == {"train": train, "val": held_out, "test": held_out}


def write_split(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    couple(folder, (1, 2, 3, 4))
    path = folder / "split.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("image,split\nimage-1,train\nimage-2,val\nimage-3.png,test\nimage-4,train\n", "utf-8"),
        ("Image;Split\r\nimage-1;Training\r\nimage-2;validation\r\nimage-3;test\r\nimage-4;train\r\n\r\n", "utf-8-sig"),
    ],
    ids=["commas", "as a spreadsheet saves it"],
)
def test_a_split_file_decides(tmp_path: Path, text: str, encoding: str) -> None:
    write_split(tmp_path, text, encoding)
    dataset = load_dataset(tmp_path)
    assert [pair.name for pair in dataset.train] == ["image-1", "image-4"]
    assert [pair.name for pair in dataset.val] == ["image-2"]
    assert [pair.name for pair in dataset.test] == ["image-3"]
    assert find(tmp_path, split_seed=0).rule == "split by split.csv"


def test_a_split_file_with_faults_lists_them_all(tmp_path: Path) -> None:
    write_split(tmp_path, "image,split\nimage-1,train\nimage-1,val\nimage-9,test\nimage-2,tset\nimage-3,val\n")
    words = [
        *("image-4.png is not in", "no image into test"),
        *("line 3: 'image-1'", "line 4: there is no image 'image-9'", "line 5: 'tset'"),
    ]
    for problem, each in zip(problems(tmp_path), words, strict=True):
        assert each in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"image-1,train\n", "image,split or"), (b"", "image,split or"), (b"image,split\n\xff\xfe,train\n", "UTF-8")],
    ids=["no header", "empty", "not UTF-8"],
)
def test_a_split_file_that_cannot_be_understood(tmp_path: Path, content: bytes, words: str) -> None:
    path = write_split(tmp_path, "")
    path.write_bytes(content)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{path} ")
    assert words in problem


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('image,split\nimage-1,train\n"image-2,val\nimage-3,test\nimage-4,train\n', 5),
        ('image,split\nimage-1,"train\n' + "image-2,val\n" * 20_000, 11_918),
        ('image,split\nimage-1,"train"x\n', 2),
    ],
    ids=["open to the end", "longer than a cell may be", "closed too early"],
)
def test_a_quote_without_its_other_half_in_a_split_file_is_one_sentence(tmp_path: Path, text: str, line: int) -> None:
    path = write_split(tmp_path, text)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{path}, line {line}: cannot be read as CSV (")


def test_folders_and_files_that_are_no_pictures_are_ignored_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    couple(tmp_path, (1, 2, 3))
    save(tmp_path / "images/more/image-4.png", noise("image-4"))
    (tmp_path / "masks/more.png").mkdir()
    for name in ("clip.mpg", "data.h5", "notes.pdf"):
        (tmp_path / "images" / name).touch()
    passed = [tmp_path / "images" / name for name in ("clip.mpg", "data.h5", "more", "notes.pdf")]
    assert find(tmp_path, split_seed=0).ignored == [*passed, tmp_path / "masks/more.png"]
    images = tmp_path / "images"
    line = (
        f"ignored, being no picture files: {images}/clip.mpg, {images}/data.h5, {images}/more/, {images}/notes.pdf, "
        f"{tmp_path}/masks/more.png/"
    )
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == line
    (tmp_path / "masks/mask-1_0.png").unlink()
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == line


def test_a_label_in_a_format_that_pillow_only_names_is_a_label(tmp_path: Path) -> None:
    couple(tmp_path, (1, 2, 3))
    (tmp_path / "masks/mask-1_0.png").rename(tmp_path / "masks/mask-1_0.h5")
    assert any("mask-1_0.h5 is a label, but no picture" in problem for problem in problems(tmp_path))


def test_a_picture_whose_name_is_not_utf8_is_a_problem_and_another_file_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    couple(tmp_path, (1, 2, 3))
    (tmp_path / "images/n\udcf6tes.txt").touch()
    assert load_dataset(tmp_path)
    assert main([str(tmp_path)]) == 0
    assert "n\\udcf6tes.txt" in capsys.readouterr().out
    for folder, name in (("images", "image-2.png"), ("masks", "mask-2_0.png")):
        (tmp_path / folder / name).rename(tmp_path / folder / f"\udcfc-2{Path(name).suffix}")
    assert [problem.partition(", as")[0] for problem in problems(tmp_path)] == [
        f"{tmp_path}/{folder}/\udcfc-2.png has a name that is not UTF-8" for folder in ("images", "masks")
    ]
    assert main([str(tmp_path)]) == 1


@pytest.mark.parametrize(("there", "missing"), [("images", "masks"), ("masks", "images")])
def test_a_flat_folder_without_one_of_its_two_folders_says_so(tmp_path: Path, there: str, missing: str) -> None:
    save(tmp_path / there / "a-1.png", square())
    assert f"{tmp_path} has no {missing}/ folder: add one." in find(tmp_path, split_seed=0).problems
