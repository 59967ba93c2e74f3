"""The videos that the quality bench kept are found with their rates, and read ahead."""

import hashlib

import numpy as np
import pytest

from app.bench.blind.stimuli import ORIGINAL, StimulusError, find_material
from app.bench.blind.study import Pair
from app.bench.blind.videos import PairLoader, load_pair
from app.bench.lossless import write_lossless
from tests.app.bench.blind.studies import write_material, write_result


def test_each_video_has_its_rate_and_the_digest_of_its_file(tmp_path):
    material = write_material(tmp_path)
    assert material.clips() == ["ann", "bob"]
    assert [stimulus.codec for stimulus in material.coded("ann")] == ["av1", "hevc", "ours"]
    hevc = material.stimuli["bob", "hevc"]
    assert (hevc.kbps, hevc.psnr, hevc.label) == (4.2, 28.0, "HEVC")
    assert hevc.digest == hashlib.sha256(hevc.path.read_bytes()).hexdigest()
    assert material.stimuli["ann", ORIGINAL].kbps == 0
    assert material.worst("ann").codec == "av1"
    assert len(list(material.comparable())) == 6
    assert len(list(material.comparable(1.03))) == 4
    assert list(material.comparable(1.0)) == []


def test_clips_and_codecs_can_be_chosen(tmp_path):
    write_material(tmp_path)
    chosen = find_material(tmp_path, ["bob"], ["ours", "hevc"])
    assert set(chosen.stimuli) == {("bob", codec) for codec in (ORIGINAL, "ours", "hevc")}
    with pytest.raises(StimulusError, match="clip eve: there are ann, bob"):
        find_material(tmp_path, ["eve"])
    with pytest.raises(StimulusError, match="codec vp8: there are av1, hevc, ours"):
        find_material(tmp_path, [], ["vp8"])


def test_what_does_not_fit_together_is_named(tmp_path):
    with pytest.raises(StimulusError, match="run nerfcall bench quality"):
        find_material(tmp_path)
    write_material(tmp_path)
    write_result(tmp_path, "ann", "ours", 9.0, 20.0, point=51)
    with pytest.raises(StimulusError, match=r"ours\.mkv needs one result beside it and has 2"):
        find_material(tmp_path)
    for path in (tmp_path / "quality" / "ann").glob("ours*.json"):
        path.unlink()
    with pytest.raises(StimulusError, match="has 0"):
        find_material(tmp_path)
    write_result(tmp_path, "ann", "ours", 9.0, float("nan"))
    # A PSNR that is not defined cannot tell which video is the worst.
    with pytest.raises(StimulusError, match="no PSNR"):
        find_material(tmp_path)


def test_a_pair_is_read_as_it_was_kept(tmp_path):
    material = write_material(tmp_path, frames=8, fps=10.0)
    videos = load_pair(material, Pair("bob", "hevc", "ours"), 0.5)
    assert len(videos) == 5
    assert videos.fps == 10
    assert [videos.left[0, 1, 1, 1], videos.original[0, 1, 1, 1], videos.right[0, 1, 1, 1]] == [120, 200, 160]
    assert videos.left[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    # Three videos, and room for another pair: 6 * 3 * 32 * 32 bytes a frame.
    assert len(load_pair(material, Pair("bob", "hevc", "ours"), 99, 3 * 6 * 3 * 32 * 32)) == 3
    assert len(load_pair(material, Pair("bob", "hevc", "ours"), 99, 1)) == 1
    same = load_pair(material, Pair("bob", "hevc", "hevc"))
    assert same.left is same.right


def test_videos_of_another_length_are_refused(tmp_path):
    material = write_material(tmp_path)
    write_lossless(material.stimuli["ann", "ours"].path, np.zeros((3, 32, 32, 3), np.uint8), 25)
    with pytest.raises(StimulusError, match="6 frames"):
        load_pair(material, Pair("ann", "ours", "hevc"))


def test_the_next_pair_is_read_ahead_once(tmp_path, monkeypatch):
    from app.bench.blind import videos

    material = write_material(tmp_path)
    read = []

    def load(*args):
        read.append(args[1])
        return load_pair(*args)

    monkeypatch.setattr(videos, "load_pair", load)
    one, other = Pair("ann", "ours", "hevc"), Pair("bob", "ours", "hevc")
    with PairLoader(material) as loader:
        loader.read_ahead(one)
        assert len(loader.load(one).result()) == 6
        loader.read_ahead(other)
        # Another pair than the one read ahead: that of another viewer.
        assert loader.load(one).result().left[0, 1, 1, 0] == 0
        assert loader.load(other).result().left[0, 1, 1, 0] == 60
    assert read == [one, other, one, other]
