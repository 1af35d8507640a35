"""What the commands and environments of LaTeX, plain TeX and AMS-TeX mean for the text of a paper."""

from __future__ import annotations

from typing import Final

SECTIONS: Final = frozenset(
    "part chapter section subsection subsubsection paragraph subparagraph head subhead subsubhead heading "
    "beginsection bsection".split()
)
CITES: Final = frozenset(
    "cite citep citet citealt citealp citeauthor citeyear citeyearpar citeyearNP citeN citeNP citeasnoun citetext "
    "Citet Citep onlinecite textcite parencite footcite autocite supercite fullcite nocite shortcite newcite "
    "possessivecite citeA bibref cites".split()
)
REFERENCES: Final = frozenset(
    "ref eqref pageref autoref cref Cref nameref vref prettyref fref Fref subref secref figref tabref fullref".split()
)
AUTHORS: Final = frozenset(
    "author address curraddr email affiliation affil institute inst thanks date urladdr orcid homepage altaffiliation "
    "altaffilmark altaffiltext collaboration preprint titlerunning authorrunning offprints offprint shortauthors "
    "shorttitle received revised accepted published dedicatory authors IEEEauthorblockN IEEEauthorblockA "
    "IEEEspecialpapernotice IEEEmembership affiliations icmlauthor icmlaffiliation icmlcorrespondingauthor "
    "correspondingauthor cortext corref fntext fnref ead tnotetext tnoteref authornote journalname "
    "authorinfo acmConference acmYear acmDOI acmISBN acmPrice copyrightyear setcopyright received".split()
)
"""Commands whose arguments are not text of the paper: authors, addresses and dates."""
DROPPED: Final[dict[str, int]] = {
    name: count
    for count, names in (
        (0, ("authornotemark",)),
        (1, "label index glossary vspace hspace bibliographystyle pagestyle thispagestyle includegraphics epsfig psfig "
            "epsfbox epsffile plotone figurenum usepackage RequirePackage documentclass documentstyle LoadClass color "
            "hypersetup pagenumbering theoremstyle newcounter newlength newsavebox phantom hphantom "
            "vphantom hyphenation "
            "graphicspath usebox special cline cmidrule stepcounter refstepcounter arraystretch includeonly ccsdesc "
            "usetikzlibrary pgfplotsset tikzset lstset captionsetup geometry DeclareGraphicsExtensions  "
            "PassOptionsToPackage ProvidesPackage ProvidesClass NeedsTeXFormat raisebox scalebox rotatebox "
            "foreignlanguage textcolor fontfamily fontseries fontshape lefthyphenmin MSC keyword selectlanguage "
            "bibliographyname addbibresource DeclareOption ExecuteOptions AtBeginDocument AtEndDocument "
            "arrayrulecolor rowcolors rowcolor cellcolor columncolor todo marginpar marginnote qedsymbol "
            "enlargethispage "
            "linespread baselinestretch cyear acks urlstyle sisetup newtoks newdimen newcount newskip newbox "
            "cellalign bmversion Xfootnote appendixname subjclass pacs keywords".split()),
        (2, "setlength addtolength setcounter addtocounter numberwithin markboth rule resizebox fontsize "
            " multicolumn multirow sbox savebox plottwo newfont settowidth "
            "titlespacing counterwithin SetKw lstdefinelanguage lstdefinestyle pgfmathsetmacro".split()),
        (3, "definecolor addcontentsline  titlecontents".split()),
        (4, "DeclareMathSymbol".split()),
    )
    for name in names
}  # fmt: skip
"""Commands that are removed with this number of arguments, after optional ones."""
LENGTHS: Final = frozenset(
    "vskip hskip kern mkern mskip hsize vsize parindent parskip baselineskip hoffset voffset textwidth textheight "
    "oddsidemargin evensidemargin topmargin headheight headsep footskip magnification tolerance hbadness vbadness "
    "overfullrule leftskip rightskip tabskip abovedisplayskip belowdisplayskip columnsep raise lower "
    "moveleft moveright "
    "penalty hangindent hangafter pageno looseness lineskip topskip itemsep parsep topsep advance multiply divide "
    "floatsep textfloatsep intextsep tabcolsep fboxsep arraycolsep marginparwidth emergencystretch footnotesep "
    "widowpenalty clubpenalty pretolerance hfuzz vfuzz unitlength mathsurround displaywidowpenalty interlinepenalty "
    "jot bigskipamount medskipamount smallskipamount normalbaselineskip".split()
)
"""Lengths that are set, and commands that are followed by a length."""
STYLES: Final = frozenset(
    "bf it rm em sl tt sc sf cal mit tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge textbf "
    "textit textrm textsc textsf texttt textsl textmd textup textnormal emph underline uppercase lowercase bfseries "
    "itshape rmfamily sffamily ttfamily scshape upshape mdseries normalfont selectfont centering raggedright "
    "raggedleft noindent indent mbox hbox vbox text fbox makebox framebox textsuperscript textsubscript sout uline "
    "centerline leftline rightline".split()
)
"""Commands that only change how their text looks."""
FORMULAS: Final = {
    "equation": "", "displaymath": "", "math": "", "align": "aligned", "flalign": "aligned", "alignat": "aligned",
    "eqnarray": "aligned", "gather": "gathered", "multline": "gathered", "subequations": "", "dmath": "",
    "IEEEeqnarray": "aligned", "xalignat": "aligned", "dgroup": "", "mathletters": "",
}  # fmt: skip
"""Environments of formulas, and the environment within ``$$`` that has the same lines."""
SKIPPED: Final = frozenset(
    "tikzpicture picture pspicture CCSXML filecontents comment pgfpicture feynmandiagram fmffile fmfgraph xy "
    "asy axis forest circuitikz keywords keyword IEEEkeywords PACS pacs authors affiliations icmlauthorlist "
    "AMS classification tikzcd pdfpages   thenomenclature".split()
)
FLOATS: Final = frozenset(("figure", "wrapfigure", "sidewaysfigure", "teaserfigure", "SCfigure", "scheme", "plate"))
TABLES: Final = frozenset(
    ("tabular", "tabularx", "tabulary", "longtable", "array", "supertabular", "deluxetable", "NiceTabular", "tblr")
)
THEOREMS: Final = {
    "theorem": "Theorem", "thm": "Theorem", "lemma": "Lemma", "lem": "Lemma", "corollary": "Corollary",
    "cor": "Corollary", "proposition": "Proposition", "prop": "Proposition", "definition": "Definition",
    "defn": "Definition", "remark": "Remark", "rem": "Remark", "example": "Example", "conjecture": "Conjecture",
    "claim": "Claim", "proof": "Proof", "pf": "Proof",
}  # fmt: skip
ENVIRONMENTS: Final = frozenset(
    (*FORMULAS, *SKIPPED, *FLOATS, *TABLES, "table", "itemize", "enumerate", "description", "document", "abstract",
     "thebibliography", "verbatim", "references")
)  # fmt: skip
"""Environments that a paper cannot redefine, because their meaning is known."""
PROTECTED: Final = (
    frozenset(
        "title begin end document enddocument item footnote caption label bibliography bibitem maketitle "
        "input include par todo "
        "abstract url href multicolumn multirow newcommand def usepackage bye fi else begingroup endgroup ldots".split()
    )
    | SECTIONS
    | CITES
    | REFERENCES
    | ENVIRONMENTS
    | frozenset(("author", "address", "email", "affiliation", "thanks"))
)
