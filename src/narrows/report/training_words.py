"""The words of a report where nothing was put aside."""

from dataclasses import replace

from narrows.tasks.base import Evaluation

__all__ = ["of_training"]


def of_training(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation on the rows that were learnt from, whose captions and notes say so."""

    def said(text: str) -> str:
        for word, real in (("held-out", "training"), ("Held-out", "Training"), ("were not learnt", "were learnt")):
            text = text.replace(word, real)
        return text

    pictures = [each._replace(title=said(each.title), caption=said(each.caption)) for each in evaluation.pictures]
    tables = [{**each, "lead": said(each.get("lead", ""))} for each in evaluation.tables]
    return replace(evaluation, pictures=pictures, tables=tables, notes=list(map(said, evaluation.notes)))
