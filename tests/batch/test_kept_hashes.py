"""The hashes of recipes that were bought already. A take is bought again when its hash changes, so these never change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.registry import shipped
from wanbatch.manifest import load_manifest

# Of each model, as it was first written down: a shot with what the model needs, and one with all that it takes.
HASHES = [
    (
        "alibaba/wan-2-6-i2v",
        "dfd54410ec60113f61954410e38005a5247f6a2702e746d5d4a87f63021ff2dc",
        "3d9ed938c0757d12aaa26dc0725bdc095446311ec654d07a76549e8197ea11ce",
    ),
    (
        "alibaba/wan-2-6-image-to-video-flash",
        "85b892e1127d05d4ff2b2dcb4bfb4686a0339c4759c045922afe769181363676",
        "0b29741a456f4354b49560538fc688e43fbb9c51860ac2e7d9c6c8c73178a240",
    ),
    (
        "alibaba/wan-2-6-r2v",
        "d2a83646526afbcf47ad0534f176ba1acabe507fe908953901c137129e197a5f",
        "5d7ca35cdf6cd54e63ed9b4c9a8495dc5f9a15380f33e6010f7127e92b92086c",
    ),
    (
        "alibaba/wan-2-6-t2v",
        "248aacdd21ff784f761112b0be91be1f9cf923f2ff61b2d0400f69303f545b17",
        "e980f110c2f19fd97ec9a0ceed474006920a79ff682c27610e58e7cfa5203034",
    ),
    (
        "alibaba/wan-2-7-i2v",
        "858cb014616ab615bcc9c16a7051958e089bcd69c79024bf282657fadece824b",
        "5db705128ca16716e249e19de0f5584683580070cc0bc4ca24172a8c33c95eed",
    ),
    (
        "alibaba/wan-2-7-r2v",
        "1ec759be8aac5ba8502ee5110f57ad4dd5b7e56558c4295e4a9f86468ad356cf",
        "3c6a3e4d307e6ac1baa607eb2766cbee320a6911a65fc5789e0d5b545a7bc8c1",
    ),
    (
        "alibaba/wan-2-7-t2v",
        "b86a447f828767ac0be3200a536c3c30018b80fa7f59f7b5dae7a7e780c9e964",
        "dc686f9f7f04300a5757d1a5ecb23e40c5449567ee0064a582390511c1063bec",
    ),
    (
        "alibaba/wan2.1-t2v-plus",
        "ff24a7820ccf17af22316af7fb3377dc44021f5268569952fda12c054420c1c0",
        "5ee46fc21089ef2e52c5d0b07031160ccac9ebd213606b8b5cdb4fd2215127df",
    ),
    (
        "alibaba/wan2.1-t2v-turbo",
        "a6916b73f39e09f798ab7b74e27a5f9ed3f50415de52c8243934a653ff492980",
        "dd04e97098f9e346cbb1e7819d3697eeac9343d478ebf8b3a411c93f3247ad62",
    ),
    (
        "alibaba/wan2.2-i2v-plus",
        "61cc8f994d2784aa3c1e639aa2a0e78ad2177714052437a34ef63c388e498e13",
        "2d44ec5393be25c122e9ca4de508226b7c83c2ae13fe8715ff21237e146a04bb",
    ),
    (
        "alibaba/wan2.2-t2v-plus",
        "89854d15b6c5eeb872d02409c54173f8938446800b7c52fa05dbcd4454d21835",
        "3b0b8d89724a6ddf6602d3101349b4ab75c2d553cd92f354f96f0b83e6e4e029",
    ),
    (
        "alibaba/wan2.5-i2v-preview",
        "383c47d87037b8644bbfa16d65af3f69937222300d2b479d2feb4c82580ac06b",
        "80e7b789bec7b375b03b72c4df019a0ccbb02b5f3a681fbc6d87f562e97b6c47",
    ),
    (
        "alibaba/wan2.5-t2v-preview",
        "ca1bca4250c3d081c96d66d0f6a51de9b6180ff0b7f5a29f1227905ebd86bac8",
        "38b47342fcf71899aafdb06d4a33f9e5bb257b24ab4e661b3daf32a6d9d5ead3",
    ),
]
ADDRESSES: dict[str, Any] = {
    "image_url": "https://example.com/a.png",
    "audio_url": "https://example.com/a.mp3",
    "first_frame_image": "https://example.com/f.png",
    "image_urls": ["https://example.com/1.png", "https://example.com/2.png"],
    "video_urls": ["https://example.com/1.mp4"],
}
TEXTS = {"prompt": "a gull lands", "negative_prompt": "blur"}
NEEDED = ("prompt", "image_url", "video_urls")


def value_of(name: str, told: Mapping[str, Any]) -> Any:
    if "enum" in told:
        return told["enum"][-1]
    if told.get("type") == "boolean":
        return False
    return {**ADDRESSES, **TEXTS, "seed": 7}[name]


@pytest.mark.parametrize(("model", "least", "most"), HASHES, ids=[model for model, _, _ in HASHES])
def test_a_recipe_keeps_its_hash(model: str, least: str, most: str, tmp_path: Path) -> None:
    known = shipped().get(model)
    assert known is not None
    values = {name: value_of(name, told) for name, told in known.parameters.items() if name != "model"}
    needed = {name: values[name] for name in NEEDED if name in values and (name != "video_urls" or "2-6-r2v" in model)}
    shots = [{"id": "least", "model": model, **needed}, {"id": "full", "model": model, **values}]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"version": 1, "shots": shots}), encoding="utf-8")
    assert [shot.recipes[0].sha256 for shot in load_manifest(path).shots] == [least, most]
