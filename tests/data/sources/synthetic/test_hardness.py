"""The calls must not be easy: neither words nor metadata may give families never seen away."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from data.call import ANSWER_PREFIX
from data.dataset import Dataset
from data.sources.synthetic import synthesize

TRUTH = {"mental_health_crisis": "crisis", "safety_risk": "risk"}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthesize(5000, seed=1)


def metadata(calls: pd.DataFrame) -> list[dict[str, str]]:
    columns = [name for name in calls if name.startswith(ANSWER_PREFIX)]
    columns += ["call_type", "call_source", "priority", "caller_role", "language"]
    records = calls[columns].astype(object).to_dict("records")
    return [{k: v for k, v in record.items() if isinstance(v, str)} for record in records]


@pytest.mark.parametrize("target", TRUTH)
@pytest.mark.parametrize("seen", ["words", "metadata"])
def test_families_never_seen_are_told_apart_neither_perfectly_nor_by_chance(
    dataset: Dataset, target: str, seen: str
) -> None:
    families = dataset.manifest["families"]
    role = dataset.families().map({name: family["role"] for name, family in families.items()})
    truth = dataset.families().map(
        {name: family[TRUTH[target]] for name, family in families.items()}
    )
    labels = dataset.targets()[target]
    train, test = (role == "train") & labels.notna(), role == "test"
    if seen == "words":
        vectorizer = TfidfVectorizer(min_df=3, sublinear_tf=True)
        inputs = [dataset.calls.loc[part, "narrative"] for part in (train, test)]
    else:
        vectorizer = DictVectorizer()
        inputs = [metadata(dataset.calls[part]) for part in (train, test)]
    model = LogisticRegression(max_iter=200)
    model.fit(vectorizer.fit_transform(inputs[0]), labels[train].astype(bool))
    scores = model.decision_function(vectorizer.transform(inputs[1]))
    area = roc_auc_score(truth[test].astype(bool), scores)
    assert 0.6 < area < 0.95, area
    assert np.isfinite(scores).all()
