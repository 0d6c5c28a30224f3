# What editors and type checkers see; at run time __getattr__ finds the functions.
from collections.abc import Callable

from clipsonic_eval.metrics._base import METRICS as METRICS
from clipsonic_eval.metrics._base import ClipInfluence as ClipInfluence
from clipsonic_eval.metrics._base import ClipMetric as ClipMetric
from clipsonic_eval.metrics._base import Estimate as Estimate
from clipsonic_eval.metrics._base import Inputs as Inputs
from clipsonic_eval.metrics._base import Metric as Metric
from clipsonic_eval.metrics._base import MetricCard as MetricCard
from clipsonic_eval.metrics._base import Need as Need
from clipsonic_eval.metrics._base import PairMetric as PairMetric
from clipsonic_eval.metrics._base import SetMetric as SetMetric
from clipsonic_eval.metrics._base import attributes as attributes
from clipsonic_eval.metrics._base import metric as metric
from clipsonic_eval.metrics.aesthetics import content_enjoyment as content_enjoyment
from clipsonic_eval.metrics.aesthetics import content_usefulness as content_usefulness
from clipsonic_eval.metrics.aesthetics import production_complexity as production_complexity
from clipsonic_eval.metrics.aesthetics import production_quality as production_quality
from clipsonic_eval.metrics.clap import clap_score as clap_score
from clipsonic_eval.metrics.classification import class_accuracy as class_accuracy
from clipsonic_eval.metrics.classification import count_accuracy as count_accuracy
from clipsonic_eval.metrics.divergence import kl as kl
from clipsonic_eval.metrics.divergence import kl_mean_logits as kl_mean_logits
from clipsonic_eval.metrics.divergence import kl_reverse as kl_reverse
from clipsonic_eval.metrics.divergence import kl_reverse_mean_logits as kl_reverse_mean_logits
from clipsonic_eval.metrics.frechet import fad as fad
from clipsonic_eval.metrics.frechet import fad_per_clip as fad_per_clip
from clipsonic_eval.metrics.frechet_limit import fad_inf as fad_inf
from clipsonic_eval.metrics.frechet_package import fad_package as fad_package
from clipsonic_eval.metrics.gap.centroids import centroid_distance as centroid_distance
from clipsonic_eval.metrics.gap.centroids import centroid_distance_corrected as centroid_distance_corrected
from clipsonic_eval.metrics.gap.closed import gap_closed as gap_closed
from clipsonic_eval.metrics.gap.closed import gap_closed_centred as gap_closed_centred
from clipsonic_eval.metrics.gap.closed import gap_closed_centroid as gap_closed_centroid
from clipsonic_eval.metrics.gap.cosines import audio_audio_cosine as audio_audio_cosine
from clipsonic_eval.metrics.gap.cosines import image_image_cosine as image_image_cosine
from clipsonic_eval.metrics.gap.cosines import matched_cosine as matched_cosine
from clipsonic_eval.metrics.gap.cosines import matched_cosine_centred as matched_cosine_centred
from clipsonic_eval.metrics.gap.cosines import text_text_cosine as text_text_cosine
from clipsonic_eval.metrics.gap.cosines import unmatched_cosine as unmatched_cosine
from clipsonic_eval.metrics.gap.cosines import within_cosine as within_cosine
from clipsonic_eval.metrics.gap.discrimination import recall_at_1_from_image as recall_at_1_from_image
from clipsonic_eval.metrics.gap.discrimination import recall_at_1_to_image as recall_at_1_to_image
from clipsonic_eval.metrics.gap.discrimination import separability as separability
from clipsonic_eval.metrics.image_audio import image_audio_score as image_audio_score
from clipsonic_eval.metrics.inception import inception_score as inception_score
from clipsonic_eval.metrics.inception import inception_score_10_splits as inception_score_10_splits
from clipsonic_eval.metrics.manifold import coverage as coverage
from clipsonic_eval.metrics.manifold import density as density
from clipsonic_eval.metrics.manifold import precision as precision
from clipsonic_eval.metrics.manifold import recall as recall
from clipsonic_eval.metrics.mmd import kad as kad
from clipsonic_eval.metrics.mmd import kad_kadtk as kad_kadtk
from clipsonic_eval.metrics.mmd import kad_kadtk_imq as kad_kadtk_imq
from clipsonic_eval.metrics.mmd import kad_kadtk_iq as kad_kadtk_iq
from clipsonic_eval.metrics.mmd_cubic import kid as kid
from clipsonic_eval.metrics.mmd_cubic import kid_subsets as kid_subsets
from clipsonic_eval.metrics.retrieval import retrieval_audio_to_text_r1 as retrieval_audio_to_text_r1
from clipsonic_eval.metrics.retrieval import retrieval_audio_to_text_r5 as retrieval_audio_to_text_r5
from clipsonic_eval.metrics.retrieval import retrieval_audio_to_text_r10 as retrieval_audio_to_text_r10
from clipsonic_eval.metrics.retrieval import retrieval_text_to_audio_r1 as retrieval_text_to_audio_r1
from clipsonic_eval.metrics.retrieval import retrieval_text_to_audio_r5 as retrieval_text_to_audio_r5
from clipsonic_eval.metrics.retrieval import retrieval_text_to_audio_r10 as retrieval_text_to_audio_r10
from clipsonic_eval.metrics.size import size_error as size_error
from clipsonic_eval.metrics.spread import diversity as diversity
from clipsonic_eval.metrics.spread import diversity_distance as diversity_distance
from clipsonic_eval.metrics.synchrony import desync as desync
from clipsonic_eval.types import Score

def __dir__() -> list[str]: ...
def __getattr__(name: str) -> Callable[..., Score]: ...  # metrics of new files and other packages
