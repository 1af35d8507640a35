"""De-identification of clinical text after the Safe Harbor rule of HIPAA (45 CFR 164.514(b)(2)).

`text` replaces identifiers in a text; `kinds` lists the 18 kinds of the rule; `known` holds what the structured part of
a record says about its people. Loaders and the stage `deidentify` share it. Nothing is sent to another machine.
"""
