"""One set of names that people give folders and that some library takes for something else."""

from __future__ import annotations

ODD_NAMES = {
    "brackets": "runs [2022]",
    "one bracket": "a[b",
    "braces": "a{b,c}",
    "unpaired braces": "un}b{",
    "space": "my data",
    "umlaut": "Grönland",
    "percent": "50%",
    "percent code": "%41 %s %(x)s",
    "hash": "sea#ice",
    "question mark": "what?",
    "star": "star*",
    "dash": "-dash",
    "quote": "it's",
    "double quote": 'say "ice"',
    "comma": "a,b;c",
    "colon": "co:lon",
    "exclamation mark": "a!b",
    "dollar": "$HOME $x$_$",
    "tilde": "~nobody",
    "backslash": "back\\slash",
    "ending": "x.zip",
    "angle": "<b>&amp;",
}
EVERYTHING = "-[1] {b, }c 50%s #é? * ' \" ! $x$_ ~ &<b>"
TOO_LONG = "a" * 5000
