import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from data_modules.errors import InputError
from prompt_video.commands.score_retrieval import main

Json: TypeAlias = dict[str, Any]
Score: TypeAlias = Callable[..., Json]

SQUARE = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.8], [0.7, 0.6, 0.5]])
NAMES = ("r@1", "r@5", "r@10", "median_rank", "mean_rank")


@pytest.fixture
def score(tmp_path: Path) -> Score:
    def run(matrix: np.ndarray, *options: str) -> Json:
        scores, out = tmp_path / "sim.npy", tmp_path / "made" / "out.json"
        np.save(scores, matrix)
        main(["score-retrieval", str(scores), f"--json={out}", *options])
        report: Json = json.loads(out.read_text())
        return report

    return run


def saved(path: Path, content: object) -> str:
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_figures_by_hand(score: Score, dtype: type, capsys: pytest.CaptureFixture[str]) -> None:
    report = score(SQUARE.astype(dtype))
    ranks = [1, 1.5, 3, 1, 1, 2]  # of the captions, then of the videos
    expected = [1.5 / 3, 1, 1, 1.5, 5.5 / 3, 2 / 3, 1, 1, 1, 4 / 3]
    assert np.mean(ranks[:3]) == pytest.approx(expected[4])
    keys = [f"{direction}/{name}" for direction in ("t2v", "v2t") for name in NAMES]
    assert report["figures"] == pytest.approx(dict(zip(keys, expected, strict=True)))
    assert list(report["figures"]) == keys
    assert report["rescored_figures"] == {}
    assert report["counts"] == {
        "captions": 3,
        "videos": 3,
        "videos_without_captions": 0,
        "t2v_queries_with_ties": 1,
        "v2t_queries_with_ties": 0,
    }
    shown = capsys.readouterr().out
    assert "1 captions and 0 videos score a wrong answer just like the right one" in shown
    assert "66.67" in shown
    assert "dual softmax" not in shown
    assert "QB-Norm" not in shown


def test_whole_numbers(score: Score) -> None:
    assert score((10 * SQUARE).astype(int))["figures"] == score(10 * SQUARE)["figures"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("owner.txt", "0\n 0\n2\n0\n\n"),
        ("owner.json", [0, 0, 2, 0]),
        ("owner.npy", np.array([0, 0, 2, 0], np.int32)),
    ],
)
def test_several_captions_a_video(
    score: Score, tmp_path: Path, name: str, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.4], [0.7, 0.6, 0.5], [0.1, 0.2, 0.3]])
    report = score(matrix, f"--video_of_caption={saved(tmp_path / name, content)}")
    assert report["figures"]["t2v/mean_rank"] == pytest.approx((1 + 3 + 3 + 3) / 4)
    assert report["figures"]["v2t/r@1"] == 1
    assert report["counts"]["videos_without_captions"] == 1
    assert "1 videos have no caption" in capsys.readouterr().out


def test_rescored_figures_stand_apart(score: Score, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = score(SQUARE)
    bank = saved(tmp_path / "bank.npy", SQUARE[:2] / 2)
    video_bank = saved(tmp_path / "video_bank.npy", SQUARE.T.copy())
    report = score(SQUARE, "--temperature=0.1", f"--caption_bank={bank}")
    assert report["figures"] == plain["figures"]
    assert list(report["rescored_figures"]) == [
        *(f"{direction}/dual_softmax_{name}" for direction in ("t2v", "v2t") for name in NAMES),
        *(f"t2v/qb_norm_{name}" for name in NAMES),
    ]
    # The second video goes to the third caption, which likes it nearly as much; the third one to the second caption.
    assert report["rescored_figures"]["t2v/dual_softmax_r@1"] == pytest.approx(1 / 3)
    shown = capsys.readouterr().out
    assert "text to video, dual softmax" in shown
    assert "text to video, QB-Norm" in shown
    assert "video to text, QB-Norm" not in shown
    assert "(transductive)" in shown
    report = score(SQUARE, f"--caption_bank={bank}", f"--video_bank={video_bank}", "--beta=5")
    assert [report["beta"], report["temperature"]] == [5, None]
    assert list(report["rescored_figures"])[-1] == "v2t/qb_norm_mean_rank"


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.zeros((3, 2)), [], r"sim.npy has 3 rows and 2 columns. Without --video_of_caption .* must be square"),
        (np.zeros((2, 2, 2)), [], r"sim.npy: the array has the shape \(2, 2, 2\); it must have rows and columns"),
        (np.zeros(2), [], r"has the shape \(2,\)"),
        (np.zeros((2, 2), complex), [], "floating-point numbers up to float64, or integers, not complex128"),
        (np.zeros((2, 2), bool), [], "or integers, not bool"),
        (np.array([["a"]]), [], "or integers, not <U1"),
        (np.array([[None]]), [], "sim.npy is no NumPy file with an array of numbers"),
        (np.zeros((0, 3)), [], r"shape \(0, 3\); it needs a row and a column at least"),
        (np.array([[1.0, np.nan], [0, 1]]), [], "sim.npy: the score in row 0, column 1 is nan"),
        (np.array([[1.0, 2.0], [0, -np.inf]]), [], "sim.npy: the score in row 1, column 1 is -inf"),
        (SQUARE, ["--temperature=0"], "--temperature 0 must be a number greater than 0"),
        (SQUARE, ["--temperature=1e-9"], "--temperature: the temperature 1e-09 is far too small"),
        (SQUARE, ["--beta=-1"], "--beta -1 must be a number greater than 0"),
    ],
)
def test_matrices_and_settings_that_cannot_be(
    score: Score, matrix: np.ndarray, options: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        score(matrix, *options)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("owner.txt", "0\n1\n2\n", r"owner.txt names the videos of 3 captions, but .*sim.npy has 4 rows"),
        ("owner.txt", "", "names the videos of 0 captions"),
        ("owner.txt", "0\n1\n3\n2\n", "owner.txt, line 3: there is no column 3; columns are 0 to 2"),
        ("owner.txt", "0\n-1\n2\n2\n", "owner.txt, line 2: there is no column -1"),
        ("owner.txt", "0\n\n2\n2\n", "owner.txt, line 2: '' is no whole number"),
        ("owner.txt", "0\n1\n2\nvideo7\n", "owner.txt, line 4: 'video7' is no whole number"),
        ("owner.txt", "0\n1.5\n2\n2\n", "owner.txt, line 2: '1.5' is no whole number"),
        ("owner.json", [0, 1, True, 2], "owner.json, entry 2: True is no whole number"),
        ("owner.json", [0, 1, 2.0, 2], "owner.json, entry 2: 2.0 is no whole number"),
        ("owner.json", {"a": 1}, "owner.json must hold a JSON list"),
        ("owner.json", "[0, 1", "owner.json, line 1: this is not valid JSON"),
        ("owner.npy", np.array([0.0, 1, 2, 2]), "owner.npy, entry 0: 0.0 is no whole number"),
        ("owner.npy", np.zeros((4, 1), int), r"owner.npy: the array has the shape \(4, 1\)"),
        ("owner.npy", "text", "owner.npy is no NumPy file"),
    ],
)
def test_videos_of_captions_that_cannot_be(
    score: Score, tmp_path: Path, name: str, content: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        score(np.zeros((4, 3)), f"--video_of_caption={saved(tmp_path / name, content)}")


def test_files_that_are_not_there(score: Score, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file nowhere\.npy; name an .npy file"):
        main(["score-retrieval", "nowhere.npy"])
    with pytest.raises(InputError, match=r"--video_of_caption: there is no file nowhere\.txt"):
        score(SQUARE, "--video_of_caption=nowhere.txt")
    with pytest.raises(InputError, match=r"there is no file nowhere\.npy"):
        score(SQUARE, "--caption_bank=nowhere.npy")
    np.savez(tmp_path / "both.npz", a=SQUARE)
    with pytest.raises(InputError, match=r"both\.npz is an archive of arrays"):
        main(["score-retrieval", str(tmp_path / "both.npz")])
    np.save(tmp_path / "half.npy", SQUARE)
    whole = (tmp_path / "half.npy").read_bytes()
    (tmp_path / "half.npy").write_bytes(whole[:-8])
    with pytest.raises(InputError, match=r"half\.npy is no NumPy file with an array of numbers, or a damaged"):
        main(["score-retrieval", str(tmp_path / "half.npy")])


def test_banks_of_other_answers(score: Score, tmp_path: Path) -> None:
    owner = saved(tmp_path / "owner.json", [0, 1, 1, 0])
    bank = saved(tmp_path / "bank.npy", np.zeros((2, 5)))
    with pytest.raises(
        InputError, match=r"bank.npy has 5 columns; it needs one for each of the 2 videos of the test; tr"
    ):
        score(np.zeros((4, 2)), f"--video_of_caption={owner}", f"--caption_bank={bank}")
    with pytest.raises(InputError, match=r"bank.npy has 5 columns; .* each of the 4 captions of the test\."):
        score(np.zeros((4, 2)), f"--video_of_caption={owner}", f"--video_bank={bank}")
    broken = saved(tmp_path / "broken.npy", np.array([[0.0, np.inf]]))
    with pytest.raises(InputError, match=r"broken.npy: the score in row 0, column 1 is inf"):
        score(np.zeros((4, 2)), f"--video_of_caption={owner}", f"--caption_bank={broken}")


def test_more_right_answers(score: Score, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("video,caption\n2,1\n0,2\n")  # the second caption tells of the third video, the third of the first
    report = score(SQUARE, f"--also_right={pairs}")
    assert report["also_right"] == str(pairs)
    assert report["figures"]["t2v/mean_rank"] == 1
    assert report["figures"]["v2t/mean_rank"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caption,video\n0,3\n", 'line 2: "3" is no column of the scores; columns are 0 to 2'),
        ("caption,video\n0,1\n-1,0\n", 'line 3: "-1" is no row of the scores; rows are 0 to 2'),
        ("caption,video\nred,0\n", 'line 2: "red" is no row'),
        ("text,video\n0,0\n", "line 1: the header must be caption,video, not"),
        ("", "line 1: the file is empty; it needs the header caption,video."),
    ],
)
def test_more_right_answers_that_are_none(score: Score, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=rf"pairs.csv, {message}"):
        score(SQUARE, f"--also_right={tmp_path / 'pairs.csv'}")
