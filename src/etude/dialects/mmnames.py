"""The file names of OpenMMLab's configs, which tell what is trained, for how long and on how many GPUs.

    faster_rcnn_r50_fpn_1x_coco               model, backbone, neck, schedule, dataset; 1x is 12 epochs
    htc_x101_64x4d_fpn_dconv_c3-c5_mstrain_400_1400_16x1_20e_coco        16 GPUs x 1 sample, 20 epochs
    mask-rcnn_r50_fpn_8xb2-amp-lsj-200e_coco  since 3.x: what belongs together is joined by dashes

A name is read from left to right, at each place by the first row of _WORDS that fits a whole word or several. What is before the
first of them is the model, what follows a dataset by dashes is the dataset's, and any other word is a setting without a meaning.

Source: docs/tutorials/config.md of MMDetection 2.x and MMDetection3D 1.x, docs/en/user_guides/config.md of those that followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

__all__ = ["ConfigName", "Token", "decode", "disagreements"]

_S = "[_-]"
_END = "(?![^_-])"
_AT = r"(-(?:all|(?:backbone|neck)\+head|backbone|neck|head))?"
_STAGES = rf"({_S}c\d-c\d)?"
_PIXELS = r"(?:6[4-9]|[7-9]\d|\d{3,4})"
_SIZE = f"{_PIXELS}x{_PIXELS}"
_DATA = (
    "coco|cityscapes|voc|lvis|v3det|ade20k|obj(?:ect)?s?365|openimages|refcoco|flickr30k|deepfashion|wider_?face|crowdhuman|mot|lasot"
    "|youtubevis|imagenet|in1k|in21k|cifar|cub|inat|places|dota|hrsc|hrsid|ssdd|kitti|semantickitti|nus|nuim|waymo|lyft|s3dis|scannet"
    "|sunrgbd|kinetics|ucf|hmdb|sth|ava|activitynet|thumos|ntu|gym|msrvtt|mpii|crowdpose|aic|halpe|humanart|h36m|jhmdb|posetrack|ap10k"
    "|pascal|potsdam|vaihingen|loveda|isaid|drive|stare|chase|hrf|levir|icdar|ctw|totaltext|wildreceipt|synthtext"
)
_WORDS = (  # role, pattern, meaning: {0} is the pattern's group or the word; batch and schedule are counted below
    ("pretraining", r"([^_-]+)-pre(?:train(?:ed)?)?", "begins with {0} weights"),
    ("schedule", "[1-9]x", ""),
    ("schedule", rf"(?:[1-9]\d?{_S}){{2}}[1-9]\d?e", ""),
    ("schedule", rf"[1-9]\d{{0,4}}e(?!-\d\d?{_END})", ""),  # 1e-3 is a number
    ("schedule", r"(?!2[12]k)[1-9]\d{0,4}k", ""),  # 21k and 22k are ImageNet's classes
    ("batch", r"\d{1,4}xb\d{1,5}|\d{1,4}x\d{1,5}b|b\d{1,5}x\d{1,4}", ""),
    ("batch", r"(?<!-)(?!\d\dx\d\d|1x1|3x3|5x5|7x7)\d\d?x\d\d?(?!-)", ""),
    ("size", _SIZE, "input size"),
    ("size", r"\d{2,4}px", "input size"),
    ("size", r"crop(\d{2,4})", "crops of {0} pixels"),
    ("sampling", r"\d{1,2}x\d{1,2}x\d{1,2}", "frames x interval x clips"),
    ("model", rf"panoptic{_S}fpn|ms{_S}rcnn", ""),
    ("model", "td-hm", "top-down heatmaps"),
    ("model", "td-reg", "top-down regression"),
    ("model setting", "hv", "hard voxelization"),
    ("model setting", "dv", "dynamic voxelization"),
    ("model setting", "tiny|nano|small|medium|base|large|huge|[nsmlx]", "size of the model"),
    ("backbone", rf"(?:r2|res2net){_S}?(\d+)", "Res2Net-{0} backbone"),
    ("backbone", r"r(?:es|esnet)?((?:18|34|50|101|152)[bcd]?)", "ResNet-{0} backbone"),
    ("backbone", rf"(?:x|resnext)(50|101|152){_S}(\d+x\d+d)", "ResNeXt-{0}-{1} backbone"),
    ("backbone", "(?:x|resnext)(50|101|152)", "ResNeXt-{0} backbone"),
    ("backbone", "d53", "Darknet-53 backbone"),
    ("backbone", "s(50|101)", "ResNeSt-{0} backbone"),
    ("backbone", rf"hrnet(?:v2p?)?{_S}w(\d+)", "HRNet backbone of width {0}"),
    ("backbone", r"regnet[xy]?-([\d.]+[mg]f|[\d.]+[MG]F)", "RegNet-{0} backbone"),
    ("backbone", rf"swin(?:v2)?{_S}(?:tiny|small|base|large|[tsbl])", "Swin Transformer backbone"),
    ("backbone", rf"(?:vit|deit){_S}(?:tiny|small|base|large|huge|[tsblh]\d*)", "vision transformer backbone"),
    ("backbone", rf"(?:convnext|pvt|pvtv2|mobilenet){_S}(?:tiny|small|base|large|[a-z]\d?)", ""),
    ("backbone", r"mobilenetv\d|hourglass\d+|vgg\d+|effb\d", ""),
    ("backbone setting", r"d(8|16|32)", "output stride {0}"),
    ("backbone setting", r"p(4|14|16|32)", "patches of {0} pixels"),
    ("backbone setting", r"w(\d+)", "windows of {0} patches"),
    ("backbone setting", "caffe", "Caffe-style backbone"),
    ("backbone setting", rf"(?:dconv|dcn|dcnv2|mdconv|mdpool){_STAGES}", "deformable convolutions{0}"),
    ("backbone setting", rf"(?:r\d+{_S})?gcb(?:-r\d+)?{_STAGES}", "global context blocks{0}"),
    ("neck", "fpn", "FPN neck"),
    ("neck", "pafpn", "path-aggregation neck"),
    ("neck", "nasfpn|bifpn|fpg|secfpn|refpn|fpnc|fpnf|rfp|dyhead", ""),
    ("neck", "c4|dc5|c5", "no neck, features of {0}"),
    ("head", "fcn|upernet|uperhead|pspnet|deeplabv3(?:plus)?|lraspp", ""),
    ("norm", rf"(?:syncbn|sbn){_AT}", "synchronized batch normalization{0}"),
    ("norm", rf"gn{_S}ws{_AT}", "group normalization and weight standardization{0}"),
    ("norm", rf"gn{_AT}", "group normalization{0}"),
    ("norm", "head-gn", "group normalization in head"),
    ("norm", rf"bn{_AT}", "batch normalization{0}"),
    ("misc", rf"(?:mstrain|ms)(?:-poly|-range)?(?:{_S}\d{{3,4}}){{0,2}}", "multi-scale training"),
    ("misc", "mstest|tta", "augmentation at test time"),
    ("misc", "amp|fp16", "mixed precision"),
    ("misc", "lsj", "large-scale jittering"),
    ("misc", "ssj", "standard-scale jittering"),
    ("misc", "scp", "simple copy-paste"),
    ("misc", "coslr|cosine", "cosine schedule"),
    ("misc", "cyclic", "cyclic schedule"),
    ("misc", r"steplr(?:\d+e-\d+)?", "step schedule"),
    ("misc", r"accum(\d{1,4})", "{0} batches an update"),
    ("misc", "ft|finetune", "fine-tuning"),
    ("misc", "linear", "linear probing"),
    ("misc", "pretrain", "pretraining"),
    ("misc", r"sample(\d*e-\d+)", "rare classes repeated, threshold {0}"),
    ("misc", r"fast(?=_\d+x)", "MMYOLO's faster data pipeline"),
    ("misc", "le(90|135)", "long-edge angles below {0} degrees"),
    ("misc", "oc", "angles as OpenCV defines them"),
    ("misc", "rr", "random rotation"),
    ("misc", "adamw|sgd", "optimizer"),
    ("misc", "albu|instaboost|mixup|autoaug", "augmentation"),
    ("misc", "scratch", "no pretrained weights"),
    ("dataset", rf"(?:{_DATA})(?:v?\d[^_-]*|vid|D\d)?(?:_v[\d.]+|_0712)?(?:-(?!{_SIZE}{_END})[^_-]+)*", ""),
    ("test dataset", "test-([^_-][^_]*)", "tested on {0}"),
    ("setting", "[^_-]+", ""),
)
_FAMILIES = (  # models that stand for their backbone, too: a name may have no other word for a network
    "rtm|yolo|ppyolo|ssd\\d|retinanet|ocrnet|segformer|segnext|pidnet|ddrnet|deeplab|upernet|xcit|uniformer|csp|conformer|hornet"
    "|edgenext|efficient|poolformer|riformer|revvit|tinyvit|levit|davit|twins|convnext|convmixer|mobile|shufflenet|densenet"
    "|inception|repvgg|repmlp|replknet|(?:se)?resne|mlp-mixer|slowfast|timesformer|stgcn|motionbert|video-pose|image-pose|minkunet"
    "|spvcnn|cylinder3d|pointnet|pointpillars|votenet|dgcnn|paconv|fcaf3d|groupfree3d|dbnet|sdmgr|satrn|robustscanner"
    "|(?:td-hm|rcnn|fcos|atss|detr|dino|fcn|deit|beit|beitv|eva|mae|mvit|mvitv|mixmim|itpn|hivit|pvig|vig|van|swin|vit|vgg|blip"
    "|dwpose|simcc|stdc|encnet|tsn|tsm|c3d|x3d|agcn|bmn|bsn|svtr|nrtr|crnn|sar|aster|abinet)(?![a-z])"
)
_TELLING = ("backbone", "neck", "head", "norm", "batch", "schedule", "dataset")
_FACTORS = {"x": (12, "epochs"), "e": (1, "epochs"), "k": (1000, "iterations")}


@dataclass(frozen=True)
class Token:
    """A word of a name: as it stands there, what it is for, and what it means ("" where there is nothing to add)."""

    text: str
    role: str
    meaning: str


@dataclass(frozen=True)
class ConfigName:
    """A name in words, and the numbers it promises: None where it promises none, or two that differ."""

    tokens: tuple[Token, ...]
    epochs: int | None = None
    iterations: int | None = None
    gpus: int | None = None
    batch_per_gpu: int | None = None

    @property
    def telling(self) -> bool:
        """Whether a network that is known stands beside a schedule, dataset or batch: in other names 2x may mean anything."""
        roles = {token.role for token in self.tokens}
        known = roles & {"backbone", "neck", "head"} or any(t.role == "model" and _families().search(t.text) for t in self.tokens)
        return bool(known and roles & {"schedule", "dataset", "batch"})

    def line(self) -> str:
        """Return the name in one line, or "" where no word of it is known."""
        if all(token.role == "setting" for token in self.tokens):
            return ""
        told = (t.text if t.role == "setting" else f"{t.text} ({t.meaning or t.role})" for t in self.tokens)
        return f"name: {', '.join(told)}"


@dataclass
class _Word:
    start: int
    end: int
    role: str
    meaning: str


def decode(stem: str) -> ConfigName:
    """Read the name of a config, without its folder and ending. Any text may be asked for: its words are settings.

    Example:
        >>> decode("faster_rcnn_r50_fpn_1x_coco").line()
        'name: faster_rcnn (model), r50 (ResNet-50 backbone), fpn (FPN neck), 1x (12 epochs), coco (dataset)'
    """
    words = _words(stem)
    counts: dict[str, set[int]] = {"epochs": set(), "iterations": set(), "gpus": set(), "batch_per_gpu": set()}
    for word in words:
        text = stem[word.start : word.end]
        if word.role == "schedule":
            *drops, last = map(int, re.findall(r"\d+", text))
            factor, unit = _FACTORS[text[-1]]
            counts[unit].add(last * factor)
            word.meaning = f"{last * factor:,} {unit}" + (f", the rate falls after {drops[0]} and {drops[1]}" if drops else "")
        elif word.role == "batch":
            gpus, samples = map(int, re.findall(r"\d+", text))
            if text[0] == "b" or ("b" not in text and stem.startswith(("hv_", "dv_"))):
                gpus, samples = samples, gpus  # MMClassification's order, and MMDetection3D's
            counts["gpus"].add(gpus)
            counts["batch_per_gpu"].add(samples)
            word.meaning = f"{gpus} GPU{'s' * (gpus != 1)} x {samples} sample{'s' * (samples != 1)}"
    tokens = tuple(Token(stem[word.start : word.end], word.role, word.meaning) for word in words)
    return ConfigName(tokens, **{key: values.pop() if len(values) == 1 else None for key, values in counts.items()})


@cache
def _rows() -> list[tuple[str, re.Pattern[str], str]]:
    """Return the rows, compiled when a name is first read, for importing must be cheap."""
    return [(role, re.compile(rf"(?:{pattern}){_END}", re.ASCII), meaning) for role, pattern, meaning in _WORDS]


@cache
def _families() -> re.Pattern[str]:
    return re.compile(rf"(?:^|[_-]|\d)(?:{_FAMILIES})", re.ASCII)


def _words(stem: str) -> list[_Word]:
    """Return the words with their roles, all of them settings where none tells of a network or a training."""
    words: list[_Word] = []
    seen: set[str] = set()
    at = 0
    while at < len(stem):
        if stem[at] in "-_":
            at += 1
            continue
        role, found, meaning = next((role, found, meaning) for role, row, meaning in _rows() if (found := row.match(stem, at)))
        start, at = found.span()
        last = words[-1] if words else _Word(0, 0, "", "")
        if role == "setting":
            joined = stem[start - 1] == "-" or (last.role == "model" and stem[at : at + 1] != "-")
            if joined and last.role in ("model", "model setting", "setting") and not last.meaning:
                last.end = at
                continue
            if last.role == "model":
                role = "model setting"
            elif seen <= {"model setting"}:
                role = "model"
        elif role in ("neck", "head") and not words:
            role, meaning = "model", ""  # fpn_r50 is a Semantic FPN
        seen.add(role)
        words.append(_Word(start, at, role, _said(meaning, found)))
    if seen.isdisjoint(_TELLING):
        return [_Word(word.start, word.end, "setting", "") for word in words]
    batch = next((word.start for word in words if word.role == "batch"), 0)
    for word in words:
        if word.role == "schedule" and word.start < batch and stem[word.end - 1] == "x":
            word.role = "setting"  # shufflenet-v1-1x_16xb64_in1k: a width
    tail = words[-1]
    if seen & {"batch", "schedule"} and "dataset" not in seen and tail.role == "setting" and stem[tail.start - 1] == "_":
        tail.role = "dataset"  # it comes last
    return words


def _said(meaning: str, found: re.Match[str]) -> str:
    """Return a meaning with what its pattern found: -neck+head is " in neck and head", _c3-c5 is " in stages c3 to c5"."""
    groups = [found[0]] if not found.re.groups else [group or "" for group in found.groups()]
    for i, group in enumerate(groups):
        if group[:2] in ("-c", "_c"):
            groups[i] = f" in stages {group[1:].replace('-', ' to ')}"
        elif group[:1] == "-":
            groups[i] = f" in {'all parts' if group == '-all' else group[1:].replace('+', ' and ')}"
    return meaning.format(*groups)


def disagreements(
    name: ConfigName,
    *,
    epochs: float | None,
    iterations: int | None,
    repeat: int,
    batch_per_gpu: int | None,
    base_batch_size: int | None,
) -> list[str]:
    """Return a line for each promise of a name that the content breaks; what can't be compared is passed over.

    Args:
        name: The name.
        epochs: What the content trains, in epochs of its loader; None where it counts iterations.
        iterations: The same in iterations.
        repeat: How often an epoch of the loader goes through the data (RepeatDataset's times). A name may count either.
        batch_per_gpu: The samples that a GPU's loader gives, those that augmentation repeats included.
        base_batch_size: What auto_scale_lr says that the learning rate was meant for.
    """
    texts = {token.role: token.text for token in name.tokens}
    told: list[str] = []
    if name.epochs is not None and epochs is not None and name.epochs not in (epochs, epochs * repeat):
        times = f" x {repeat} repeats = {epochs * repeat:g}" if repeat != 1 else ""
        told.append(f"the name says {texts['schedule']}, {name.epochs} epochs; the content trains {epochs:g}{times}")
    if name.iterations is not None and iterations is not None and name.iterations != iterations:
        told.append(f"the name says {texts['schedule']}, {name.iterations:,} iterations; the content trains {iterations:,}")
    if name.gpus is None or name.batch_per_gpu is None:
        return told
    gpus, batch, text = name.gpus, name.batch_per_gpu, texts["batch"]
    either = (batch, gpus) if "b" not in text else (batch,)  # 4x8 is also written the other way around
    if batch_per_gpu not in (None, 1, *either):  # a loader of 1 may hand out groups, as for ReID
        told.append(f"the name says {text}, {batch} a GPU; the content has {batch_per_gpu}")
    accumulated = next((int(t.text[5:]) for t in name.tokens if t.role == "misc" and t.text.startswith("accum")), 1)
    whole = gpus * batch
    if base_batch_size not in (None, whole, whole * accumulated, gpus * (batch_per_gpu or 0)):
        told.append(f"the name says {text}, {whole} in all; auto_scale_lr.base_batch_size is {base_batch_size}")
    return told
