"""Synonyms: names that people and other tools give to the fields of a shot, and the field that each means.

They only lead to a hint: a field is read under its own name alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache

from wanbatch.batch.shots import OWN

_CLOSE = 0.8  # at 0.6, rating would pass for duration, and lens for scene
_NAME_CAP = 40

# Each field, and what it is called in shot lists, spreadsheets and the manifests of other tools, folded.
_TOLD: dict[str, str] = {
    "id": "shot shot_id shot_no shot_number shot_nr shot_num shot_name shotid shot_code no nr num number name slug key"
    " uid uuid clip clip_id clip_name file_name filename einstellung plan plano カット 镜头 镜号 编号",
    "prompt": "text description desc prompts prompt_text text_prompt positive_prompt positive caption shot_description"
    " visual visuals action content prompt_en full_prompt video_prompt scene_description beschreibung descripción"
    " descripcion descrizione 提示词 描述 プロンプト 프롬프트",
    "negative_prompt": "neg_prompt negprompt negative neg negative_text avoid n_prompt 反向提示词 负面提示词",
    "duration": "length len dur seconds secs sec duration_s duration_sec duration_secs duration_seconds duration_in_s"
    " duration_in_sec duration_in_seconds length_s length_sec length_secs length_seconds length_in_seconds"
    " clip_length clip_duration video_length video_duration runtime dauer länge durée duree duración duracion durata"
    " 时长 秒数 尺 길이",
    "aspect_ratio": "ratio aspect ar video_ratio frame_ratio aspectratio aspect_ratios seitenverhältnis 比例 画幅",
    "resolution": "size res video_size video_resolution frame_size output_size definition auflösung résolution"
    " resolución 分辨率 解像度 해상도",
    "seed": "random_seed rng_seed rng noise_seed seeds",
    "model": "model_name model_id modelid engine checkpoint modell modèle modelo 模型",
    "enhance_prompt": "prompt_extend prompt_extension extend_prompt prompt_expansion expand_prompt prompt_enhance"
    " prompt_enhancer prompt_enhancement enhance prompt_optimizer optimize_prompt prompt_upsampling upsample_prompt"
    " magic_prompt auto_prompt rewrite_prompt",
    "generate_audio": "sound with_audio with_sound enable_audio has_audio audio_enabled ton son",
    "audio_url": "audio_file sound_file sound_url music_url audio_path input_audio",
    "image_url": "image img image_path img_url input_image start_image start_frame init_image image_file",
    "video_urls": "video_url videos reference_videos ref_videos ref_video reference_video input_video",
    "image_urls": "images reference_images ref_images",
    "scene": "scene_no scene_nr scene_number scene_num scene_name scene_id sc scenes szene scène escena scena 场景 场次"
    " シーン 장면",
    "sequence": "seq sequence_no sequence_name seq_no episode ep reel sequenz séquence secuencia 段落",
    "takes": "take variations variants variation versions repeats repeat copies num_videos n_videos samples"
    " num_takes number_of_takes",
    "tags": "tag keywords keyword labels label stichworte schlagworte 标签",
    "cost_code": "cost_centre cost_center costcode budget_code account_code gl_code charge_code kostenstelle",
    "notes": "note comment comments remark remarks memo notiz notizen bemerkung bemerkungen remarque remarques notas"
    " 备注 備考 비고",
    "omit": "skip disabled disable exclude excluded ignore inactive",
    "watermark": "watermarked add_watermark",
    "shot_type": "multi_shot shot_types",
}
# The same for limits and budget.
_HEAD_TOLD: dict[str, str] = {
    "submit_rate": "rate rate_limit rpm requests_per_minute submits submits_per_min per_minute",
    "in_flight": "concurrency max_concurrency concurrent max_concurrent parallel max_parallel workers inflight",
    "max_attempts": "retries max_retries attempts tries retry",
    "max_usd": "usd dollars max_dollars",
    "max_credits": "credits",
    "downloads": "max_downloads parallel_downloads",
}
_HEAD_BY_NAME = {name: ours for ours, names in _HEAD_TOLD.items() for name in names.split()}
_IN_SECONDS = re.compile(r"_(?:in_)?(?:s|secs?|seconds?|sek|sekunden|seg|segundos|secondes|秒)$")
_NOT_SECONDS = re.compile(r"(?:^|_)(?:mins?|minutes?|ms|frames?|hours?)(?:_|$)")
_BY_NAME = {unicodedata.normalize("NFKC", name): ours for ours, names in _TOLD.items() for name in names.split()}


def folded(name: str) -> str:
    """Return a name in the form in which columns are compared: `Aspect-Ratio ` is aspect_ratio. Blanks and dashes
    become underscores.
    """
    text = unicodedata.normalize("NFKC", name).replace("\ufeff", "").replace("\u200b", "").replace("\xad", "")
    return re.sub(r"[\s-]+", "_", text.strip().casefold())


def is_own(name: str) -> bool:
    """Say whether a name belongs to a column of the user's own."""
    return name.startswith(OWN)


def field_told(name: str) -> str:
    """Return the field that a synonym means, or nothing. `Duration (s)` means duration."""
    if name.strip() in ("#", "№"):
        return "id"
    bare = re.sub(r"[\W_]+", "_", folded(name)).strip("_")
    return _BY_NAME.get(bare, "") or _BY_NAME.get(_IN_SECONDS.sub("", bare), "")


def field_meant(name: str, known: Collection[str]) -> str:
    """Return the field of `known` that a name probably means, or nothing."""
    return _meant(name[:_NAME_CAP], frozenset(known))


@lru_cache(maxsize=1024)  # the same slip is often in every shot
def _meant(name: str, known: frozenset[str]) -> str:
    bare = re.sub(r"[\W_]+", "_", folded(name)).strip("_")
    if bare in known:
        return bare
    reported = field_told(name)
    if reported:
        return reported if reported in known else ""
    reported = _HEAD_BY_NAME.get(bare, "")
    if reported in known:
        return reported
    if _NOT_SECONDS.search(bare):
        return ""
    close = get_close_matches(bare, sorted(known), n=1, cutoff=_CLOSE)
    if close:
        return close[0]
    swapped = [each for each in get_close_matches(bare, _BY_NAME, cutoff=_CLOSE) if sorted(each) == sorted(bare)]
    return _BY_NAME[swapped[0]] if swapped and _BY_NAME[swapped[0]] in known else ""


def own_name(name: str) -> str:
    """Return the name of a column that users keep for themselves: `Camera move` is x_camera_move."""
    bare = re.sub(r"[\W_]+", "_", folded(name)).strip("_").removeprefix(OWN)[:_NAME_CAP]
    return OWN + (bare or "mine")


def unknown_field(name: str, shown_name: str, known: Collection[str], *, what: str = "not a field of a shot") -> str:
    """Say that a name is not a field of a shot: which was probably meant, or how to keep it as a column of one's
    own.
    """
    close = field_meant(name, known)
    if not close:
        return f"{shown_name} is {what}; to keep it as a column of your own, call it {own_name(name)}"
    return f"{shown_name} is {what}; did you mean {close}?"
