"""Names of the array types: the number type is stated, the shape stands in each docstring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
FloatArray = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]
Int = NDArray[np.intp]
IntArray = NDArray[np.integer[Any]]
UInt8 = NDArray[np.uint8]
AnyArray = NDArray[Any]
