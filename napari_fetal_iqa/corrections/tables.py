"""The words of the store's tables, version by version."""


def _append_only(table: str) -> dict[str, str]:
    """Triggers by name that let nobody change or delete what stands in a table."""
    return {
        f"{table}_is_never_{done}": f"""
CREATE TRIGGER {table}_is_never_{done} BEFORE {how} ON {table}
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"""
        for done, how in (("changed", "UPDATE"), ("deleted", "DELETE"))
    }


_TRIGGERS = _append_only("event")

TABLES = (
    """
CREATE TABLE sweep (
    identity TEXT PRIMARY KEY,
    frames INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    row_mm REAL, column_mm REAL,
    bounds TEXT NOT NULL
)""",
    """
CREATE TABLE event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    frame INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('label', 'mask', 'undo', 'redo')),
    action TEXT NOT NULL,
    label INTEGER CHECK (label IN (0, 1, 2)),
    mask BLOB,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    answers TEXT,
    tool TEXT NOT NULL
)""",
    "CREATE INDEX event_of_sweep ON event (sweep, reviewer)",
    *_TRIGGERS.values(),
)

# since version 2; where a review stands is no correction: it is overwritten
_BOOKMARKS = """
CREATE TABLE IF NOT EXISTS bookmark (
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    reviewer TEXT NOT NULL,
    frame INTEGER NOT NULL,
    quality_threshold REAL, area_threshold REAL,
    PRIMARY KEY (sweep, reviewer)
)"""

# since version 3; whose silence on the other frames of a sweep says that nothing is there
_REVIEWED = """
CREATE TABLE IF NOT EXISTS reviewed (
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    reviewer TEXT NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (sweep, reviewer)
)"""

# since version 4; which sweeps are one person's, who is named by a salted hash alone
_SUBJECTS = """
CREATE TABLE IF NOT EXISTS subject (
    sweep TEXT PRIMARY KEY REFERENCES sweep (identity),
    key TEXT NOT NULL,
    salt TEXT NOT NULL
)"""

# since version 5; events like the others, in a table of their own: that of the others knows four
# kinds, and SQLite changes no check of a table that is there
_CALIPERS = """
CREATE TABLE IF NOT EXISTS caliper (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    frame INTEGER NOT NULL,
    action TEXT NOT NULL,
    mark TEXT NOT NULL,
    points TEXT,
    tool TEXT NOT NULL
)"""

_CALIPER_TRIGGERS = _append_only("caliper")

# since version 6; a word on one of the six criteria of a frame, or on what a caliper measures
_REMARKS = """
CREATE TABLE IF NOT EXISTS remark (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    time TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    sweep TEXT NOT NULL REFERENCES sweep (identity),
    frame INTEGER NOT NULL,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    mark TEXT NOT NULL,
    word TEXT,
    tool TEXT NOT NULL
)"""

_REMARK_TRIGGERS = _append_only("remark")

# since version 7; how far the pregnancy was when a sweep was made, as somebody entered it: days,
# and no date of anybody
_AGES = """
CREATE TABLE IF NOT EXISTS age (
    sweep TEXT PRIMARY KEY REFERENCES sweep (identity),
    basis TEXT NOT NULL,
    days INTEGER NOT NULL
)"""

ADDED = (
    (_BOOKMARKS,),
    (_REVIEWED,),
    (_SUBJECTS,),
    (_CALIPERS, *_CALIPER_TRIGGERS.values()),
    (_REMARKS, *_REMARK_TRIGGERS.values()),
    (_AGES,),
)
"""What each version after the first added."""

OURS = {
    words[words.index("ON" if words[1] == "INDEX" else "(") - 1]: words
    for words in (
        statement.replace("IF NOT EXISTS ", "").split()
        for statement in (*TABLES[:3], *(added[0] for added in ADDED))
    )
} | {
    "sqlite_sequence": ["CREATE", "TABLE", "sqlite_sequence(name,seq)"],
    "sqlite_stat1": ["CREATE", "TABLE", "sqlite_stat1(tbl,idx,stat)"],
    "sqlite_stat4": ["CREATE", "TABLE", "sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"],
}
"""Words of each table and index that a store may have, by name; SQLite's own among them."""

OUR_TRIGGERS = _TRIGGERS | _CALIPER_TRIGGERS | _REMARK_TRIGGERS

TABLES_OF_VERSION = (
    *("sweep", "event", "bookmark", "reviewed", "subject", "caliper", "remark", "age"),
)

EVENT_TABLES = ("event", "caliper", "remark")
"""Those that hold events, in the order in which versions brought them."""
