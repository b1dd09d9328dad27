"""The handwritten digits that scikit-learn carries: real images without a download."""

from __future__ import annotations

import numpy as np

from gpudl.data.readers._common import ImageData, checked


def digits() -> ImageData:
    """1,797 images of 8x8 pixels, ten classes; grey levels 0..16 are scaled to 0..255 as uint8.

    A fifth (360), the same share of each class, is the test part: scikit-learn's train_test_split(random_state=0).
    Source: UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998), its test set.
    Raises ImportError where scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("digits needs scikit-learn: pip install 'gpudl[train]'") from error
    source = load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = source.target.astype(np.int64)
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.2, random_state=0, stratify=labels)
    return checked("digits", "digits", {"train": (x, y), "test": (x_test, y_test)}, tuple("0123456789"))
