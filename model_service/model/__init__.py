"""What training and serving both mean by "the model".

    features.py     from a frame of calls to the matrix that the heads see; one definition
    classifier.py   two calibrated heads on one feature matrix (training side)
    compile.py      the fitted classifier turned into plain weights
    scorer.py       the plain weights: exact, fast, free of scikit-learn
    explanation.py  exact contributions in log-odds, words in place
    facts.py        what is known of a call: yes, no or unknown, each with its evidence
    safeguards.py   disqualifiers with their evidence; abstention
    plan.py         the response plan: a document, checked
    places.py       outlines of places, and where a point lies
    rota.py         shifts and holidays
    texts.py        the words of a recommendation
    teams.py        which teams of a plan take a call, and what keeps each of them from it
    recommend.py    from probabilities to a kind of team, as the plan says
    questions.py    the next question: which answer would change most, and why
    decision.py     what a person decides
    assess.py       one call through all of it; evaluation, batch and service call this alike
    release.py      what is shipped: plain files, a digest, a signature

`scorer`, `facts`, `safeguards`, `plan`, `teams`, `recommend`, `questions`, `assess` and `release`
import no scikit-learn and no pandas, so that the service starts at once and unpickles nothing.
"""
