"""What a call is, where calls come from and how they are labelled.

The lowest layer: it imports nothing else of this project.

    call.py      Call and Outcome, strict
    frame.py     the only way from records to a DataFrame
    dataset.py   a folder of calls, outcomes, labels and their manifest
    labels.py    from outcomes to the two targets, each label with its source
    quality.py   copies, leaks, gaps, labels that can't be learned from
    splits.py    by time, by incident, by family
    files.py     files that appear whole or not at all
    text.py      the normalised text that a model sees, with its way back to the original
    sources/     readers and the synthetic generator
    mappings/    one YAML per agency
"""
