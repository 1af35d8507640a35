"""Set aside the pages that their sites do not want in a corpus, under the rules ``optout.<kind>``."""
