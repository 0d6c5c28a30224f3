"""Statistics on NumPy arrays: distances between sets of embeddings, bootstrap intervals over clips, paired tests.

Nothing here depends on audio, files or torch. Throughout, *rows* are embedding vectors and *clips* are the sampling
unit: all rows of one clip are drawn, left out or swapped together.

==========================  ==========================================================================================
``frechet``                 squared Fréchet distance of two Gaussians, the statistic behind FID and FAD
``frechet_clips``           the same for many small Gaussians, one per clip
``frechet_inf``             its limit at infinitely many clips
``frechet_influence``       its derivative in the weight of each clip
``frechet_bootstrap``       its values in many resamples
``moments``                 mean and covariance of a stream of embeddings
``mmd``, ``pairwise``       unbiased squared maximum mean discrepancy; sums of kernels over pairs of rows
``manifold``                precision, recall, density and coverage from k-nearest-neighbour balls
``bootstrap``               resampling over clips, and the confidence intervals made from it
``influence``               jackknife influence functions and the linear bootstrap
``paired``                  paired tests of two systems, Holm's correction, effect size
``order_statistics``    percentiles with distribution-free intervals
``sign_flips``              the signs behind them, and the one-sided test of a mean with its limits
``evidence``                one-sided evidence that one system is worse than another, by what was repeated
``paired_shares``           limits of the difference of two shares on the same clips
``decisions``               worse, not worse, or cannot tell; and how much data would tell
``crossed``                 variances and intervals where listeners and items are both samples
``ordinal``                 proportional-odds model of ordered categories
``preferences``             Davidson's model of paired comparisons with ties
``agreement``               Krippendorff's alpha, intraclass correlation
``change_points``           steps in a series of few points with unknown noise
``interval_coverage``       simulated coverage of a confidence interval
``chunking``                iteration in bounded memory
==========================  ==========================================================================================
"""
