"""One row of each published set, and how it is loaded as a problem."""

import json

from conftest import problems_params

from stages.problems.sources import load

OPTIONS = ["A) True", "B) False", "C) Unknown"]
ROWS = {
    "gsm_hard": {"input": "Tom has 1234567 pens and buys 2. How many?", "code": "...", "target": 1234569.0},
    "svamp": {
        "ID": "chal-1",
        "Body": "Each pack of dvds costs 76 dollars.",
        "Question": "What do 3 packs at 25 dollars less each cost?",
        "Equation": "( ( 76.0 - 25.0 ) * 3.0 )",
        "Answer": 153.0,
        "Type": "Subtraction",
    },
    "asdiv": {
        "body": "Tom shares 22 pens among 5 boys.",
        "question": "How many does each get?",
        "solution_type": "Floor-Division",
        "answer": "4 (pens)",
        "formula": "22/5=4 r2",
    },
    "mawps": {
        "iIndex": 7,
        "sQuestion": " Tom had some pens. He lost 3.5 and has 8. How many had he ?",
        "lEquations": ["x-3.5=8.0"],
        "lSolutions": ["11.5"],
    },
    "folio": {
        "premises": ["All cats purr.", "Tom is a cat."],
        "premises-FOL": ["∀x (Cat(x) → Purr(x))", "Cat(tom)"],
        "conclusion": "Tom purrs.",
        "conclusion-FOL": "Purr(tom)",
        "label": "True",
    },
    "proofwriter": {
        "id": "P_1",
        "context": "Bob is cold. If something is cold then it is red. All red things are rough.",
        "question": "Based on the above, is the following statement true, false, or unknown? Bob is not rough.",
        "options": OPTIONS,
        "answer": "B",
    },
    "prontoqa": {
        "id": "Q_1",
        "context": "Each yumpus is a dumpus. Dumpuses are not sour. Max is a yumpus.",
        "question": "Is the following statement true or false? Max is sour.",
        "options": OPTIONS[:2],
        "answer": "B",
        "explanation": [
            "Max is a yumpus.",
            "Each yumpus is a dumpus.",
            "Max is a dumpus.",
            "Dumpuses are not sour.",
            "Max is not sour.",
        ],
    },
    "logical_deduction": {
        "id": "L_1",
        "context": "There are two books: a green book and a red book. The green book is to the left of the red book.",
        "question": "Which of the following is true?",
        "options": ["A) The green book is the rightmost.", "B) The red book is the rightmost."],
        "answer": "B",
    },
}
KEYS = {"folio": {"split": "validation"}}


def use_of(entry, use="train", fold=None):
    return load(use, problems_params(**{use: (entry,)}, fold=fold))


def from_file(tmp_path, source, *rows, name="rows.jsonl", use="train", fold=None, **keys):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return use_of({"source": source, "path": str(path), **KEYS.get(source, {}), **keys}, use, fold)
