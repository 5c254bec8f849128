"""Losses and metrics of this repository, written by `python -m models terms`: change none here."""
# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

LOSSES: tuple[dict[str, Any], ...] = (
    {
        "name": "gen_gan", "side": "generator", "needs": ("disc_fake",),
        "paper": "Goodfellow et al. 2014, non-saturating",
        "about": "Non-saturating adversarial loss",
    },
    {
        "name": "gen_nll", "side": "generator", "needs": ("disc_fake",),
        "paper": "Goodfellow et al. 2014, -log D(G(x))", "about": "-log D(G(x))",
    },
    {
        "name": "gen_ssim", "side": "generator", "needs": ("output", "target", "value_range",),
        "paper": "Wang et al. 2004", "about": "1 - SSIM over the data set's value range",
    },
    {
        "name": "gen_l1", "side": "generator", "needs": ("output", "target",),
        "paper": "Isola et al. 2017", "about": "Mean absolute difference",
    },
    {
        "name": "gen_l2", "side": "generator", "needs": ("output", "target",),
        "paper": "mean squared error", "about": "Mean squared difference",
    },
    {
        "name": "gen_rmse", "side": "generator", "needs": ("output", "target",),
        "paper": "root of the mean squared error of the batch",
        "about": "Root mean squared difference of the batch",
    },
    {
        "name": "gen_wstein", "side": "generator", "needs": ("disc_fake",),
        "paper": "Arjovsky et al. 2017, -mean D(G(x)) alone",
        "about": "-mean D(G(x)), without a critic's loss",
    },
    {
        "name": "gen_lsgan", "side": "generator", "needs": ("disc_fake",),
        "paper": "Mao et al. 2017, least squares", "about": "Least squares, (D(G(x)) - 1)² / 2",
    },
    {
        "name": "gen_ragan", "side": "generator", "needs": ("disc_fake", "disc_real",),
        "paper": "Jolicoeur-Martineau 2019, relativistic average",
        "about": "Relativistic average, generator's half",
    },
    {
        "name": "gen_fm", "side": "generator", "needs": ("features_fake", "features_real",),
        "paper": "Wang et al. 2018 (pix2pixHD), feature matching",
        "about": "Feature matching in the discriminator",
    },
    {
        "name": "disc_bce", "side": "discriminator", "needs": ("disc_fake", "disc_real",),
        "paper": "Goodfellow et al. 2014", "about": "Binary cross-entropy, real and generated",
    },
    {
        "name": "disc_nll", "side": "discriminator", "needs": ("disc_fake", "disc_real",),
        "paper": "Goodfellow et al. 2014, minimax form", "about": "-log D(y) - log(1 - D(G(x)))",
    },
    {
        "name": "disc_wstein", "side": "discriminator", "needs": ("disc_fake", "disc_real",),
        "paper": "Arjovsky et al. 2017, critic",
        "about": "mean D(G(x)) - mean D(y), the critic's",
    },
    {
        "name": "disc_gp", "side": "discriminator",
        "needs": ("discriminator", "input", "output", "step", "target",),
        "paper": "Gulrajani et al. 2017, gradient penalty",
        "about": "Gradient penalty of WGAN-GP",
    },
    {
        "name": "disc_lsgan", "side": "discriminator", "needs": ("disc_fake", "disc_real",),
        "paper": "Mao et al. 2017, least squares", "about": "Least squares, real and generated",
    },
    {
        "name": "disc_ragan", "side": "discriminator", "needs": ("disc_fake", "disc_real",),
        "paper": "Jolicoeur-Martineau 2019", "about": "Relativistic average, D's half",
    },
    {
        "name": "gen_vgg", "side": "generator",
        "needs": ("output", "target", "value_range", "vgg",),
        "paper": "Johnson et al. 2016, in VGG19",
        "about": "Mean absolute difference in layers of VGG19 (vgg)",
    },
    {
        "name": "disc_bce_real", "side": "discriminator", "needs": ("disc_real",),
        "paper": "Goodfellow et al. 2014",
        "about": "Binary cross-entropy of real images: a half of disc_bce",
    },
    {
        "name": "disc_bce_fake", "side": "discriminator", "needs": ("disc_fake",),
        "paper": "Goodfellow et al. 2014",
        "about": "Binary cross-entropy of generated images: a half of disc_bce",
    },
    {
        "name": "gen_carl", "side": "generator",
        "needs": ("base", "extras.cloud_mask", "output", "target",),
        "paper": "Meraner et al. 2020, cloud-adaptive regularised loss",
        "about": "CARL: the cloudy input where it is clear, the truth where clouds or shadows cover it",
    },
    {
        "name": "gen_smooth_l1", "side": "generator", "needs": ("output", "target",),
        "paper": "Girshick 2015, smooth L1",
        "about": "Half the squared difference up to 1, the absolute one less a half beyond",
    },
    {
        "name": "gen_lr_fidelity", "side": "generator", "needs": ("low", "output", "sensor",),
        "paper": "Wald et al. 1997, consistency: degraded, the product is the original image",
        "about": "Smooth L1 between the input and the generated image as the input's sensor sees it",
    },
    {
        "name": "gen_hr_fidelity", "side": "generator", "needs": ("output", "sensor", "target",),
        "paper": "smooth L1 of what the coarser sensor does not see",
        "about": "Smooth L1 between the high frequencies of both images",
    },
    {
        "name": "gen_l1_flat", "side": "generator", "needs": ("output", "target",),
        "paper": "L1 in the lowest quartile of the truth's gradient",
        "about": "Mean absolute difference where the truth is flat: its lowest quartile of gradient",
    },
    {
        "name": "gen_l1_edges", "side": "generator", "needs": ("output", "target",),
        "paper": "L1 in the highest quartile of the truth's gradient",
        "about": "Mean absolute difference at the truth's edges: its highest quartile of gradient",
    },
    {
        "name": "gen_shift_l1", "side": "generator", "needs": ("output", "target",),
        "paper": "L1 at the best of all shifts of up to 4 pixels",
        "about": "Mean absolute difference, each image shifted as a whole to where it is least",
    },
    {
        "name": "gen_warp", "side": "generator",
        "needs": ("flow", "low", "output", "sensor", "target",),
        "paper": "smooth L1 of flows by a frozen registration",
        "about": "Keeps the input's geometry: smooth L1 between flows of prediction and input",
    },
    {
        "name": "gen_flow_composition", "side": "generator", "needs": ("flows",),
        "paper": "Nguyen et al., CVPRW 2023 (L1BSR)",
        "about": "A known change and the flow after it make the flow without it",
    },
    {
        "name": "gen_flow_identity", "side": "generator", "needs": ("flows",),
        "paper": "Nguyen et al., CVPRW 2023 (L1BSR)", "about": "An image lies on itself",
    },
    {
        "name": "gen_flow_inverse", "side": "generator", "needs": ("flows",),
        "paper": "Nguyen et al., CVPRW 2023 (L1BSR)",
        "about": "There and back is where one began",
    },
    {
        "name": "gen_flow_warping", "side": "generator", "needs": ("flows",),
        "paper": "Nguyen et al., CVPRW 2023 (L1BSR)",
        "about": "The moved image looks like the one it is moved onto",
    },
)

METRICS: tuple[dict[str, Any], ...] = (
    {
        "name": "hpsi", "label": "HPSI (colour)", "unit": "1", "better": "higher",
        "paper": "Reisenhofer et al. 2018, SPIC 61:33-43", "profile": "standard",
    },
    {
        "name": "hpsi_bands", "label": "HPSI (mean of bands)", "unit": "1", "better": "higher",
        "paper": "Reisenhofer et al. 2018, SPIC 61:33-43, grey, band by band",
        "profile": "standard",
    },
    {
        "name": "ergas", "label": "ERGAS", "unit": "1", "better": "lower",
        "paper": "Wald 2000, Fusion of Earth Data", "profile": "standard",
    },
    {
        "name": "scc", "label": "SCC", "unit": "1", "better": "higher",
        "paper": "Zhou, Civco, Silander 1998, IJRS 19(4)", "profile": "standard",
    },
    {
        "name": "ssim", "label": "SSIM", "unit": "1", "better": "higher",
        "paper": "Wang et al. 2004, IEEE TIP 13(4)", "profile": "standard",
    },
    {
        "name": "psnr", "label": "PSNR", "unit": "dB", "better": "higher",
        "paper": "10 log10(L²/MSE), L the value range", "profile": "standard",
    },
    {
        "name": "hp_l1", "label": "HP-L1", "unit": "value range", "better": "lower",
        "paper": "mean |Δ Laplacian|, 3×3, reflected", "profile": "standard",
    },
    {
        "name": "sam", "label": "SAM", "unit": "degrees", "better": "lower",
        "paper": "Yuhas, Goetz, Boardman 1992", "profile": "standard",
    },
    {
        "name": "cc", "label": "CC", "unit": "1", "better": "higher",
        "paper": "Pearson correlation, mean over bands", "profile": "standard",
    },
    {
        "name": "uiqi", "label": "UIQI", "unit": "1", "better": "higher",
        "paper": "Wang, Bovik 2002, IEEE SPL 9(3)", "profile": "standard",
    },
    {
        "name": "rmse", "label": "RMSE", "unit": "unit of the bands", "better": "lower",
        "paper": "root of the mean squared difference", "profile": "standard",
    },
    {
        "name": "l1", "label": "L1", "unit": "unit of the bands", "better": "lower",
        "paper": "mean absolute difference", "profile": "standard",
    },
    {
        "name": "lsd_hf", "label": "HF-LSD", "unit": "dB", "better": "lower",
        "paper": "mean |Δ log power| beyond the input's Nyquist frequency; Durall et al. 2020, CVPR",
        "profile": "standard",
    },
    {
        "name": "ssim_compat", "label": "SSIM on [-1, 1]", "unit": "1", "better": "higher",
        "paper": "as published with pix2pix-maps: Wang et al. 2004 on [-1, 1] with L = 2",
        "profile": "pix2pix-maps",
    },
    {
        "name": "l1_compat", "label": "L1 on [-1, 1]", "unit": "half a value range",
        "better": "lower",
        "paper": "as published with pix2pix-maps: mean absolute difference on [-1, 1]",
        "profile": "pix2pix-maps",
    },
    {
        "name": "l1_scaled", "label": "L1 on [0, 1]", "unit": "value range", "better": "lower",
        "paper": "mean absolute difference on [0, 1]", "profile": "pix2pix-maps",
    },
    {
        "name": "hp_l1_compat", "label": "HP-L1 as published", "unit": "1", "better": "lower",
        "paper": "as published with pix2pix-maps: each response by its own largest, one image a batch",
        "profile": "pix2pix-maps",
    },
    {
        "name": "laplacian_l1", "label": "Laplacian L1", "unit": "value range", "better": "lower",
        "paper": "mean |Δ Laplacian|, 3×3, reflected, as hp_l1 of profile standard",
        "profile": "pix2pix-maps",
    },
    {
        "name": "mae", "label": "MAE", "unit": "unit of the bands", "better": "lower",
        "paper": "mean absolute difference, as l1 of profile standard", "profile": "dsen2cr",
    },
    {
        "name": "psnr_bands", "label": "PSNR", "unit": "dB", "better": "higher",
        "paper": "mean over bands of each band's 10 log10(L²/MSE), L its value range",
        "profile": "torchsisr",
    },
    {
        "name": "rmse_bands", "label": "RMSE", "unit": "unit of the bands", "better": "lower",
        "paper": "mean over bands of each band's root of the mean squared difference",
        "profile": "torchsisr",
    },
    {
        "name": "lr_rmse", "label": "LR RMSE", "unit": "unit of the bands", "better": "lower",
        "paper": "mean over bands of the RMSE between the prediction, degraded by each band's MTF, and the input",
        "profile": "torchsisr",
    },
    {
        "name": "ms_ssim", "label": "MS-SSIM", "unit": "1", "better": "higher",
        "paper": "Wang, Simoncelli, Bovik 2003, Asilomar, equation 7, five scales",
        "profile": "extended",
    },
    {
        "name": "rmse_smooth", "label": "RMSE, smooth third", "unit": "unit of the bands",
        "better": "lower",
        "paper": "rmse over the third of a tile's pixels where the truth's gradient is least",
        "profile": "extended",
    },
    {
        "name": "rmse_middle", "label": "RMSE, middle third", "unit": "unit of the bands",
        "better": "lower",
        "paper": "rmse over the middle third of a tile's pixels by the truth's gradient",
        "profile": "extended",
    },
    {
        "name": "rmse_edges", "label": "RMSE, edges", "unit": "unit of the bands",
        "better": "lower",
        "paper": "rmse over the third of a tile's pixels where the truth's gradient is steepest",
        "profile": "extended",
    },
    {
        "name": "ndvi_error", "label": "NDVI error", "unit": "1", "better": "lower",
        "paper": "mean |Δ NDVI|; Rouse et al. 1974, NASA SP-351", "profile": "extended",
    },
    {
        "name": "lpips", "label": "LPIPS", "unit": "1", "better": "lower",
        "paper": "Zhang et al. 2018, CVPR, version 0.1 of its weights", "profile": "extended",
    },
)
