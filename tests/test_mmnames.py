"""Names of OpenMMLab's configs: real ones in words and numbers, any text at all, and names against contents."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.dialects.mmnames import ConfigName, Token, decode, disagreements

NAMES = [  # epochs, iterations, GPUs, samples a GPU
    ("faster_rcnn_r50_fpn_1x_coco", (12, None, None, None)),
    ("mask_rcnn_x101_32x4d_fpn_mstrain-poly_3x_coco", (36, None, None, None)),
    ("retinanet_r50_fpn_gn_2x_coco", (24, None, None, None)),
    ("ssd300_coco", (None, None, None, None)),
    ("fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_1x_coco", (12, None, None, None)),
    ("yolov3_d53_mstrain-608_273e_coco", (273, None, None, None)),
    ("yolov3_mobilenetv2_320_300e_coco", (300, None, None, None)),
    ("mask_rcnn_r50_fpn_syncbn-all_rpn-2conv_lsj_100e_fp16_coco", (100, None, None, None)),
    ("mask_rcnn_x101_32x4d_fpn_gn_ws-all_20_23_24e_coco", (24, None, None, None)),
    ("mask_rcnn_r50_fpn_sample1e-3_mstrain_2x_lvis_v1", (24, None, None, None)),
    ("htc_x101_64x4d_fpn_dconv_c3-c5_mstrain_400_1400_16x1_20e_coco", (20, None, 16, 1)),
    ("retinanet_r18_fpn_1x8_1x_coco", (12, None, 1, 8)),
    ("yolact_r50_1x8_coco", (None, None, 1, 8)),
    ("yolof_r50_c5_8x8_iter-1x_coco", (12, None, 8, 8)),
    ("cornernet_hourglass104_mstest_10x5_210e_coco", (210, None, 10, 5)),
    ("faster_rcnn_r50_fpn_syncbn_1350k_obj365v1", (None, 1_350_000, None, None)),
    ("faster_rcnn_r50_caffe_c4_mstrain_18k_voc0712", (None, 18_000, None, None)),
    ("ld_r18_gflv1_r101_fpn_coco_1x", (12, None, None, None)),
    ("rotated_retinanet_obb_r50_fpn_1x_dota_le90", (12, None, None, None)),
    ("hv_pointpillars_secfpn_3x8_100e_det3d_kitti-3d-car", (100, None, 8, 3)),  # samples x GPUs in MMDetection3D
    ("resnet50_b32x8_imagenet", (None, None, 8, 32)),
    ("shufflenet_v1_1x_b64x16_linearlr_bn_nowd_imagenet", (None, None, 16, 64)),  # a width, and no epoch
    ("fpn_poolformer_s36_8x4_512x512_40k_ade20k", (None, 40_000, 8, 4)),
    ("fcn_r50-d8_512x1024_40k_cityscapes", (None, 40_000, None, None)),
    ("deeplabv3_unet_s5-d16_64x64_40k_drive", (None, 40_000, None, None)),
    ("upernet_swin_base_patch4_window7_512x512_160k_ade20k_pretrain_224x224_22k", (None, 160_000, None, None)),
    ("faster-rcnn_r50_fpn_1x_coco", (12, None, None, None)),
    ("rtmdet_l_8xb32-300e_coco", (300, None, 8, 32)),
    ("dino-4scale_r50_8xb2-12e_coco", (12, None, 8, 2)),
    ("mask-rcnn_r50_fpn_8xb2-amp-lsj-200e_coco", (200, None, 8, 2)),
    ("lad_r50-paa-r101_fpn_2xb8_coco_1x", (12, None, 2, 8)),
    ("mask-rcnn_r50_fpn_rpn-2conv_4conv1fc_syncbn-all_32xb2-ssj-270k_coco", (None, 270_000, 32, 2)),
    ("fcn_r50-d8_4xb2-40k_cityscapes-512x1024", (None, 40_000, 4, 2)),
    ("unet-s5-d16_fcn_4xb4-ce-1.0-dice-3.0-40k_stare-128x128", (None, 40_000, 4, 4)),
    ("resnet50_8xb32_in1k", (None, None, 8, 32)),
    ("shufflenet-v1-1x_16xb64_in1k", (None, None, 16, 64)),
    ("resnet50_head1_4xb64-steplr1e-3-20e_in1k-1pct", (20, None, 4, 64)),
    ("td-hm_hrnet-w32_8xb64-210e_coco-256x192", (210, None, 8, 64)),
    ("tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb", (100, None, 8, 32)),
    ("clip4clip_vit-base-p32-res224-clip-pre_8xb16-u12-5e_msrvtt-9k-rgb", (5, None, 8, 16)),
    ("pointpillars_hv_secfpn_8xb6-160e_kitti-3d-3class", (160, None, 8, 6)),
    ("yolov8_s_syncbn_fast_8xb16-500e_coco", (500, None, 8, 16)),
    ("yolov7_tiny_syncbn_fast_8x16b-300e_coco", (300, None, 8, 16)),
    ("ppyoloe_plus_s_fast_1xb12-40e_cat", (40, None, 1, 12)),
    ("dbnet_resnet50-oclip_1200e_icdar2015", (1200, None, None, None)),
    ("pretrained_100e_then_20e_coco", (None, None, None, None)),  # which of the two?
]
LINES = {
    "faster_rcnn_r50_fpn_1x_coco": "faster_rcnn (model), r50 (ResNet-50 backbone), fpn (FPN neck), 1x (12 epochs), coco (dataset)",
    "fcos_center-normbbox-centeronreg-giou_r50_caffe_fpn_gn-head_1x_coco": "fcos (model), center-normbbox-centeronreg-giou (model setting), "
    "r50 (ResNet-50 backbone), caffe (Caffe-style backbone), fpn (FPN neck), gn-head (group normalization in head), 1x (12 epochs), "
    "coco (dataset)",
    "htc_x101_64x4d_fpn_dconv_c3-c5_mstrain_400_1400_16x1_20e_coco": "htc (model), x101_64x4d (ResNeXt-101-64x4d backbone), fpn (FPN neck), "
    "dconv_c3-c5 (deformable convolutions in stages c3 to c5), mstrain_400_1400 (multi-scale training), 16x1 (16 GPUs x 1 sample), "
    "20e (20 epochs), coco (dataset)",
    "mask_rcnn_r50_pafpn_syncbn-backbone+head_20_23_24e_coco": "mask_rcnn (model), r50 (ResNet-50 backbone), pafpn (path-aggregation neck), "
    "syncbn-backbone+head (synchronized batch normalization in backbone and head), 20_23_24e (24 epochs, the rate falls after 20 and 23), "
    "coco (dataset)",
    "fpn_r50_4xb2-80k_cityscapes-512x1024": "fpn (model), r50 (ResNet-50 backbone), 4xb2 (4 GPUs x 2 samples), 80k (80,000 iterations), "
    "cityscapes (dataset), 512x1024 (input size)",
    "yolov8_s_syncbn_fast_8xb16-500e_cat": "yolov8 (model), s (size of the model), syncbn (synchronized batch normalization), "
    "fast (MMYOLO's faster data pipeline), 8xb16 (8 GPUs x 16 samples), 500e (500 epochs), cat (dataset)",
    "tsn_imagenet-pretrained-r50_1xb8_ucf101-rgb": "tsn (model), imagenet-pretrained (begins with imagenet weights), "
    "r50 (ResNet-50 backbone), 1xb8 (1 GPU x 8 samples), ucf101-rgb (dataset)",
    "coco_detection": "coco (dataset), detection",
}
UNTOLD = {"epochs": None, "iterations": None, "repeat": 1, "batch_per_gpu": None, "base_batch_size": None}


@pytest.mark.parametrize(("stem", "numbers"), NAMES, ids=[stem for stem, _ in NAMES])
def test_a_real_name_promises_its_numbers(stem, numbers):
    name = decode(stem)
    assert (name.epochs, name.iterations, name.gpus, name.batch_per_gpu) == numbers


@pytest.mark.parametrize("stem", LINES)
def test_a_name_is_told_in_one_line(stem):
    assert decode(stem).line() == f"name: {LINES[stem]}"


@pytest.mark.parametrize(
    ("stem", "telling"),
    [
        ("faster_rcnn_r50_fpn_1x_coco", True),
        ("rtmdet_l_8xb32-300e_coco", True),
        ("ssd300_coco", True),
        ("coco_detection", False),
        ("vit-base-p14_headless", False),
        ("run_12e_v2", False),
        ("my_2x", False),
        ("eval_2x", False),
    ],
)
def test_a_known_network_beside_its_training_tells(stem, telling):
    assert decode(stem).telling is telling


@pytest.mark.parametrize("stem", ["", "train", "my-config_final", "default_runtime", "small", "_-_", "１x", "1e-3", "resnet_21k"])
def test_any_other_name_has_nothing_to_tell(stem):
    assert decode(stem).line() == ""
    assert all(token == Token(token.text, "setting", "") for token in decode(stem).tokens)


WORDS = "1x 20e 90k 21k 8x2 8xb2 b32x8 r50 fpn hv ms gn -all c3 c5 dconv coco test 512x512 _ - __ é 9 {0} x101 accum"
words = st.sampled_from(WORDS.split())


@given(st.one_of(st.text(), st.lists(words).map("_".join), st.lists(words).map("-".join), st.lists(words).map("".join)))
def test_any_text_is_read_and_keeps_its_words(text):
    name = decode(text)
    assert "".join(token.text for token in name.tokens).replace("_", "").replace("-", "") == text.replace("_", "").replace(
        "-", ""
    )
    assert all(token.text and token.role for token in name.tokens)
    assert name.line() == "" or name.line().startswith("name: ")
    disagreements(name, epochs=7, iterations=7, repeat=7, batch_per_gpu=7, base_batch_size=7)


@pytest.mark.parametrize("part", ["a", "a-", "a_", "1x_", "9", "-pre", "coco-", "ms_640_", "r2_", "c3-", "test-"])
def test_a_name_of_any_length_is_read_in_linear_time(part):
    began = time.perf_counter()
    decode(part * 10_000)
    assert time.perf_counter() - began < 5  # a hundredth is usual


AGREEING = [
    ("faster_rcnn_r50_fpn_1x_coco", {"epochs": 12, "batch_per_gpu": 2, "base_batch_size": 16}),
    ("faster_rcnn_r50_fpn_1x_voc0712", {"epochs": 4, "repeat": 3}),
    ("hv_second_secfpn_4x8_80e_kitti-3d-car", {"epochs": 80, "repeat": 2, "batch_per_gpu": 4, "base_batch_size": 32}),
    ("yolof_r50_c5_8x8_iter-1x_coco", {"iterations": 22_500, "batch_per_gpu": 8, "base_batch_size": 64}),
    ("second_secfpn_4x8_80e_kitti-3d-car", {"epochs": 80, "batch_per_gpu": 4}),  # which is which isn't certain
    ("resnet50_b32x8_imagenet", {"epochs": 100, "batch_per_gpu": 32, "base_batch_size": 256}),
    ("byol_resnet50_8xb32-accum16-coslr-300e_in1k", {"epochs": 300, "batch_per_gpu": 32, "base_batch_size": 4096}),
    ("reid_r50_8xb32-6e_mot17train80", {"epochs": 6, "batch_per_gpu": 1}),
    ("retinanet_r50_fpn_90k_coco", {"epochs": 12}),
    ("shufflenet-v1-1x_16xb64_in1k", {"epochs": 300}),
    ("schedule_1x", {"epochs": 12}),
    ("coco_detection", {"batch_per_gpu": 2}),
    ("faster-rcnn_r50_fpn_8xb2-1x_coco", {}),
]


@pytest.mark.parametrize(("stem", "content"), AGREEING, ids=[stem for stem, _ in AGREEING])
def test_names_that_agree_are_passed_over(stem, content):
    assert disagreements(decode(stem), **{**UNTOLD, **content}) == []


@pytest.mark.parametrize(
    ("stem", "content", "line"),
    [
        (
            "faster_rcnn_r50_fpn_1x_cityscapes",
            {"epochs": 8, "repeat": 8},
            "says 1x, 12 epochs; the content trains 8 x 8 repeats = 64",
        ),
        ("satrn_shallow_5e_st_mj", {"epochs": 20}, "says 5e, 5 epochs; the content trains 20"),
        ("ann_r101-d8_4xb4-40k_voc12aug", {"iterations": 20_000}, "says 40k, 40,000 iterations; the content trains 20,000"),
        ("fcos_r50_fpn_8x4_2x_v3det", {"batch_per_gpu": 2}, "says 8x4, 4 a GPU; the content has 2"),
        ("resnet50_b16x64_imagenet", {"batch_per_gpu": 64}, "says b16x64, 16 a GPU; the content has 64"),
        (
            "rtmdet_l_8xb32-300e_coco",
            {"batch_per_gpu": 32, "base_batch_size": 16},
            "says 8xb32, 256 in all; auto_scale_lr.base_batch_size is 16",
        ),
        (
            "mvit_8xb32_kinetics400",
            {"batch_per_gpu": 16, "base_batch_size": 128},
            "says 8xb32, 32 a GPU; the content has 16",
        ),  # told once
    ],
)
def test_a_broken_promise_is_told(stem, content, line):
    assert disagreements(decode(stem), **{**UNTOLD, **content}) == [f"the name {line}"]


def test_a_name_without_words_promises_nothing():
    assert decode("") == ConfigName(())
