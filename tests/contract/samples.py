"""Request schemas of six vendors' models, written down from the provider's documentation in words of our own."""

from __future__ import annotations

from typing import Any

URL = {"type": "string", "format": "uri"}
COMPONENTS = {"schemas": {"Number": {"type": "number", "minimum": -10, "maximum": 10}}}


def request(model: str, needed: list[str], **fields: Any) -> dict[str, Any]:
    named = {"model": {"type": "string", "enum": [model]}, "prompt": {"type": "string"}, **fields}
    return {"type": "object", "properties": named, "required": ["model", *needed]}


NUMBER = {"$ref": "#/components/schemas/Number"}
SAMPLES: dict[str, dict[str, Any]] = {
    "pixverse/v5.5/image-to-video": request(
        "pixverse/v5.5/image-to-video",
        ["prompt", "image_url"],
        image_url=URL,
        resolution={"type": "string", "enum": ["360p", "540p", "720p", "1080p"], "default": "720p"},
        duration={"type": "integer", "enum": [5, 8, 10], "default": "5"},
        seed={"type": "integer"},
        generate_audio_switch={"type": "boolean", "default": False},
    ),
    "kling-video/v1/standard/text-to-video": request(
        "kling-video/v1/standard/text-to-video",
        ["prompt"],
        duration={"type": "integer", "enum": [5, 10], "default": "5"},
        aspect_ratio={"type": "string", "enum": ["16:9", "9:16", "1:1"], "default": "16:9"},
        cfg_scale={"type": "number", "minimum": 0, "maximum": 1},
        camera_control={"type": "string", "enum": ["down_back", "forward_up"]},
        advanced_camera_control={
            "type": "object",
            "properties": {"movement_type": {"type": "string", "enum": ["pan", "zoom"]}, "movement_value": NUMBER},
            "required": ["movement_type", "movement_value"],
        },
    ),
    "minimax/h3": request(
        "minimax/h3",
        ["prompt"],
        ratio={"type": "string", "enum": ["adaptive", "16:9", "9:16"], "default": "adaptive"},
        resolution={"type": "string", "enum": ["2K"], "default": "2K"},
        duration={"type": "integer", "minimum": 4, "maximum": 15, "default": 5},
        image_urls={"type": "array", "items": URL, "minItems": 1, "maxItems": 9},
    ),
    "blackforestlabs/flux-3-video-i2v": request(
        "blackforestlabs/flux-3-video-i2v",
        ["prompt"],
        resolution={"type": "string", "enum": ["hd", "fhd"], "default": "hd"},
        duration={"type": "integer", "minimum": 5, "maximum": 20, "default": 5},
        image_urls={"type": "array", "items": URL, "maxItems": 10},
        generate_audio={"type": "boolean", "default": True},
    ),
    "luma/ray-2": request(
        "luma/ray-2",
        ["prompt"],
        duration={"type": "integer", "enum": [5, 9], "default": "5"},
        keyframes={
            "type": "object",
            "properties": {
                "frame0": {
                    "anyOf": [
                        {
                            "type": "object",
                            "properties": {"type": {"type": "string", "enum": ["image"]}, "url": URL},
                            "required": ["type", "url"],
                        },
                        {
                            "type": "object",
                            "properties": {
                                "type": {"type": "string", "enum": ["generation"]},
                                "id": {"type": "string", "minLength": 1},
                            },
                            "required": ["type", "id"],
                        },
                    ]
                }
            },
        },
    ),
    "google/veo-3.0-fast": request(
        "google/veo-3.0-fast",
        ["prompt"],
        resolution={"type": "string", "enum": ["720P", "1080P"], "default": "720P"},
        duration={"type": "integer", "enum": [4, 6, 8], "default": "8"},
        provider={"type": "string", "enum": ["auto", "google", "fal"], "default": "auto"},
        negative_prompt={"type": "string", "maxLength": 500},
    ),
}
