"""How far a result may be from its float64 oracle, and why.

An error is measured against the largest magnitude of the expected array (`scale`), because a sum of terms that
cancel has the error of the terms. A result passes when |actual - expected| <= atol * scale + rtol * |expected|.
"""

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = (np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64))

# (rtol, atol) by dtype. rtol: half precision results are rounded once when stored, so one unit in the last place
# (2^-10, 2^-7); float32 and float64: a few units for elementwise chains (exp, division, square root).
# atol: sums of up to a few thousand products accumulated in float32, relative to the largest result.
DEFAULT = {
    np.dtype(np.float16): (2.0**-10, 1e-5),
    BFLOAT16: (2.0**-7, 1e-5),
    np.dtype(np.float32): (1e-5, 3e-6),
    np.dtype(np.float64): (1e-12, 1e-13),
}

# Central differences with a step of 1e-6 lose half of float64's digits.
FINITE_DIFFERENCE = (1e-5, 1e-7)


def assert_close(actual, expected, dtype=None, *, tolerance=None, where=""):
    """Fail unless every element is within tolerance; NaN and inf must be in the same places.

    tolerance : (rtol, atol) in place of the table's; say at the call why.
    """
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape}, expected {expected.shape}"
    rtol, atol = DEFAULT[np.dtype(dtype or actual.dtype)] if tolerance is None else tolerance
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    finite = np.isfinite(expected)
    special = ~finite
    assert np.array_equal(actual[special], expected[special], equal_nan=True), f"{where}: NaN or inf differ"
    if not finite.any():
        return
    scale = np.abs(expected[finite]).max()
    error = np.abs(actual[finite] - expected[finite])
    allowed = atol * scale + rtol * np.abs(expected[finite]) + np.finfo(np.float64).tiny
    share = error / allowed
    assert (share <= 1).all(), f"{where}: {share.max():.3g} times the allowed error, scale {scale:.3g}"
