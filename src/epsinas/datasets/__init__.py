"""interim"""

DATASETS = {}
_T = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "ptb": "PTB",
    "wikitext-2": "WikiText-2",
    "zipf": "Zipf",
}


def title(name):
    return _T.get(name, name)


class _D:
    def __init__(self, n):
        self.normalisation = n


DATASETS = {
    k: _D(v)
    for k, v in {
        "cifar10": ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
        "cifar100": ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
        "ImageNet16-120": ((122.68, 116.66, 104.01), (63.22, 61.26, 65.09)),
    }.items()
}
