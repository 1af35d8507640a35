"""Templates as readers see them: quantities, dates, words, in several languages."""

import pytest

from corpusmill.crawlers.readers.wikitext.article import article
from tests.crawlers.readers.wikitext.pages import page_of, text_of


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("convert|10|mi|km", "10 miles (16 km)"),
        ("convert|1300|mi|km", "1,300 miles (2,100 km)"),
        ("convert|123|m|ft", "123 metres (404 ft)"),
        ("convert|49|kg|lb", "49 kilograms (108 lb)"),
        ("convert|300|m|ft|adj=on|sp=us", "300-meter (980 ft)"),
        ("convert|5|km|mi|adj=mid|-long", "5-kilometre-long (3.1 mi)"),
        ("convert|100|nmi|km|sigfig=3|adj=on", "100-nautical-mile (185 km)"),
        ("convert|13.5|ft|m|adj=on|abbr=off|sp=us", "13.5-foot (4.1-meter)"),
        ("convert|10|to|30|cm|in", "10 to 30 centimetres (3.9 to 11.8 in)"),
        ("convert|200|-|350|g|oz", "200–350 grams (7.1–12.3 oz)"),
        ("convert|60|and(-)|80|kg", "60 and 80 kilograms (130–180 lb)"),
        ("convert|10|x|20|m|ft|abbr=on", "10 m × 20 m (33 ft × 66 ft)"),
        ("convert|90|°F", "90 °F (32 °C)"),
        ("convert|-40|C|F", "−40 °C (−40 °F)"),
        ("convert|5|C-change|0|abbr=on", "5 °C (9 °F)"),
        ("convert|6|ft|4|in|cm|0", "6 feet 4 inches (193 cm)"),
        ("convert|1.8|m", "1.8 metres (5 ft 11 in)"),
        ("convert|9|m|0|abbr=on", "9 m (30 ft)"),
        ("convert|54.5|nmi|km|order=flip|sp=us", "100.9 kilometers (54.5 nmi)"),
        ("convert|840|m|ft|0|abbr=on|disp=or", "840 m or 2,756 ft"),
        ("convert|860|nmi|km mi|-1", "860 nautical miles (1,590 km; 990 mi)"),
        ("convert|22|e6acre|km2", "22 million acres (89,000 km²)"),
        ("convert|166|Goilbbl", "166 billion barrels (26.4 billion m³)"),
        ("convert|25567|ft/s|m/s", "25,567 feet per second (7,793 m/s)"),
        ("convert|1.2|PD/sqmi", "1.2 inhabitants per square mile (0.46/km²)"),
        ("convert|3+1/2|in|mm", "3 1/2 inches (89 mm)"),
        ("convert|30|mpgus|L/100 km", "30 miles per US gallon (7.8 L/100 km)"),
        ("convert|1|mi", "1 mile (1.6 km)"),
        ("cvt|5|km", "5 km (3.1 mi)"),
        ("convert|5|parrots", "5 parrots"),
        ("convert|5000|to|6000|parrots", "5,000 to 6,000 parrots"),
        ("convert|3000|rpm", "3,000 revolutions per minute (50 Hz)"),
        ("convert|100|square feet", "100 square feet (9.3 m²)"),
        ("convert|100|t/ha|LT/acre", "100 tonnes per hectare (40 long tons/acre)"),
        ("convert|1e999|mi", "1×10⁹⁹⁹ miles"),
        ("convert|5|km|mi|spell=in", "five kilometres (3.1 mi)"),
        ("convert|200|PSI|kPa", "200 pounds per square inch (1,400 kPa)"),
        ("convert|3{{frac|1|2}}|in|mm", "3 1/2 inches (89 mm)"),
        ("convert|121|ft|m|spell=In|disp=sqbr", "One hundred and twenty-one feet [37 m]"),
    ],
)
def test_a_quantity_is_converted_and_rounded_as_on_wikipedia(template: str, text: str) -> None:
    """Both values are facts of the article; every public extractor loses them."""
    assert text_of(f"It is {{{{{template}}}}} long.") == f"It is {text} long."


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("nowrap|10 km", "10 km"),
        ("nowrap|a=b", "a=b"),
        ("lang|de|Haus", "Haus"),
        ("lang-de|Haus", "German: Haus"),
        ("langx|ru|Москва|Moskva", "Russian: Москва, romanized: Moskva"),
        ("transl|ru|Moskva", "Moskva"),
        ("IPAc-en|ˈ|l|ʌ|n|d|ən", "/ˈlʌndən/"),
        ("nihongo|Tokyo|東京|Tōkyō", "Tokyo (東京, Tōkyō)"),
        ("formatnum:1234567.8", "1,234,567.8"),
        ("val|2500|-|5000|u=m", "2,500–5,000 m"),
        ("INR|5|c", "₹5 crore"),
        ("nihongo3|Tōkyō|東京|Tokyo", "Tōkyō (東京, Tokyo)"),
        ("ruby|漢|kan", "漢"),
        ("#invoke:Lang|lang|de|Haus", "Haus"),
        ("#invoke:Convert|convert|10|mi|km", "10 miles (16 km)"),
        ("val|1234.5|0.2|e=6|u=m/s", "1,234.5±0.2×10⁶ m/s"),
        ("frac|3|1|2", "3 1/2"),
        ("frac|1|2", "1/2"),
        ("val|6.02e23|u=mol", "6.02×10²³ mol"),
        ("10^|6", "10⁶"),
        ("x10^|-5", "×10⁻⁵"),
        ("spellnum|12", "twelve"),
        ("MONTHNAME|5", "May"),
        ("decade|1990", "1990s"),
        ("INRConvert|5|l", "₹5 lakh"),
        ("HMS|Hood|51", "HMS Hood (51)"),
        ("HMS|Hood|51|6", "HMS Hood"),
        ("ship|French ship|Ville de Paris|1764|2", "Ville de Paris"),
        ("track gauge|1435mm", "1,435 mm (4 ft 8 1/2 in)"),
        ("RailGauge|3ft6in|lk=on", "3 ft 6 in (1,067 mm)"),
        ("track gauge|1234 mm", "1,234 mm"),
        ("bra|x", "⟨x|"),
        ("USA", "United States"),
        ("chem|H|2|O", "H₂O"),
        ("chem2|C2H5OH", "C₂H₅OH"),
        ("marriage|A|2000|2005", "A (m. 2000–2005)"),
        ("US$|1.2 million", "US$1.2 million"),
        ("INR|1234", "₹1,234"),
        ("circa|1500", "c. 1500"),
        ("As of|2010|5|lc=y", "as of May 2010"),
        ("birth date and age|1990|1|2", "January 2, 1990"),
        ("start date|1990|1|2|df=y", "2 January 1990"),
        ("death date and age|2000|1|2|1920|3|4", "January 2, 2000 (aged 79)"),
        ("coord|52|30|N|13|24|E|display=inline", "52°30′N 13°24′E"),
        ("ill|Some Person|de", "Some Person"),
        ("abbr|MB|megabyte", "MB"),
        ("#if:x|yes|no", "yes"),
        ("#ifeq:1|1.0|same|other", "same"),
        ("#switch:b|a=1|b|c=2|#default=3", "2"),
        ("#expr:2*(3+4) round 0", "14"),
        ("uc:abc", "ABC"),
        ("PAGENAME", "Orte"),
        ("strange wrapper|the words", "the words"),
        ("subst:nowrap|x", "x"),
        ("Template:nowrap|x", "x"),
        ("nowrap|{{nowrap|{{convert|1|mi}}}}", "1 mile (1.6 km)"),
    ],
)
def test_an_inline_template_is_its_text(template: str, text: str) -> None:
    """Sentences need their numbers, dates and names."""
    assert text_of(f"It is {{{{{template}}}}} here.") == f"It is {text} here."


@pytest.mark.parametrize("dash", ["{{ndash}}", "{{snd}}", "&ndash;", "{{spaced ndash}}"])
def test_dashes_stay(dash: str) -> None:
    """A span of years without its dash is another number."""
    assert text_of(f"1914{dash}1918").replace(" ", "") == "1914–1918"


@pytest.mark.parametrize(
    "template",
    [
        *(
            "citation needed|date=May 2010",
            "clarify",
            "cite book|title=A",
            "sfn|Doe|2001|p=3",
            "efn|A note.",
            "refn|A.",
        ),
        *("dead link", "page needed", "anchor|x", "strange flag", "Infobox person|name=A", "DEFAULTSORT:Orte"),
    ],
)
def test_notes_and_maintenance_are_left_out(template: str) -> None:
    """They are about the page, not of it."""
    assert text_of(f"One{{{{{template}}}}} two.") in {"One two.", "Onetwo."}


def test_a_fraction_stands_apart_from_the_number_before_it() -> None:
    """Written together, 5 and a half were 51 halves."""
    assert text_of("5{{frac|1|2}} and 3{{1/4}} km") == "5 1/2 and 3 1/4 km"


@pytest.mark.parametrize(
    ("code", "wikitext"),
    [
        ("en", "{{Columns-list|colwidth=20em|\n* one\n* two\n}}"),
        ("en", "{{columns|col1=\n* one|col2=\n* two}}"),
        ("de", "{{Mehrspaltige Liste|breite=10em|liste=\n* one\n* two\n}}"),
        ("fr", "{{colonnes|taille=20|1=\n* one\n* two\n}}"),
    ],
)
def test_lists_in_columns_are_lists(code: str, wikitext: str) -> None:
    """Columns are layout; what stands in them is text of the page."""
    assert text_of(wikitext, code).split() == ["-", "one", "-", "two"]


@pytest.mark.parametrize(
    ("code", "wikitext"),
    [
        ("de", "{{Zitat |Text=Words. |Autor=Ann |Quelle=Book}}"),
        ("fr", "{{citation bloc|texte=Words.|auteur=Ann|source=Book}}"),
        ("ru", "{{цитата|автор=Ann|текст=Words.|источник=Book}}"),
        ("it", "{{citazione|Words.|Ann|fonte=Book}}"),
    ],
)
def test_quotations_have_arguments_in_the_language_of_the_wiki(code: str, wikitext: str) -> None:
    """A quotation that is named, not numbered, was lost."""
    assert text_of(wikitext, code) == "Words.\n\n— Ann, Book"


def test_hatnotes_and_navigation_are_left_out() -> None:
    """Templates with a line of their own are boxes, unless a table renders them."""
    wikitext = "{{About|a|b|c}}\n{{Main|Rome}}\n{{Unheard of sidebar|x}}\n{{Unheard of|x}}\nText.\n{{Navbox|x}}"

    assert text_of(wikitext) == "Text."


@pytest.mark.parametrize(
    ("code", "wikitext", "text"),
    [
        ("de", "{{enS|Town}}, {{Höhe|1234|DE-NHN}}, {{formatnum:12345}}", "englisch Town, 1234 m ü. NHN, 12.345"),
        ("de", '{{"|Ja}} am {{Datum|3|10|1990}}{{Belege fehlen}}', "„Ja“ am 3. Oktober 1990"),
        ("fr", "{{unité|12345.5|km|2}}, {{date|1|1|1900}}", "12 345,5 km², 1er janvier 1900"),
        ("fr", "au {{s|XIX|e}} et {{XXe siècle}} {{lang-en|City}}", "au XIXe siècle et XXe siècle en anglais : City"),
        ("fr", "du {{s2-|XVIII|e|XIX|e}}, {{unité|5|e=6|km}}", "du XVIIIe et XIXe siècles, 5×10⁶ km"),
        ("fr", "le {{1er|janvier}}, {{unité|5|à=7|km}}", "le 1er janvier, 5 à 7 km"),
        ("fr", "au XX{{e}}, {{XIXe}}, le {{1er avril}}, {{3e|éd.}}", "au XXe, XIXe, le 1er avril, 3e éd."),
        ("fr", "routeur{{etc.}} {{FRA}} {{date||juillet|1998}}", "routeur, etc. juillet 1998"),
        ("fr", "{{tmp|12.5|°C}}, {{tmp|-5}}, km{{2}}, 10{{exp|3}}", "12,5 °C, −5 °C, km², 10³"),
        ("fr", "{{Mme|Doe}}, {{Ier siècle av. J.-C.}}, {{MSAPI|a}}", "Mme Doe, Ier siècle av. J.-C., [a]"),
        ("de", "{{Art.|3|GG}}, {{S.|12|14}}, 10{{hoch|5}}, {{0}}7", "Art. 3 GG, S. 12–14, 10⁵, 7"),
        ("de", "{{ZahlExp|1,38|-23|suffix=J/K}}", "1,38 · 10⁻²³ J/K"),
        ("es", "{{EUR|5}}, 2.{{ª}}, {{ordinal|5}}, {{cifra|12345}}", "5 €, 2.ª, 5.º, 12 345"),
        ("ru", "{{OldStyleDate|17 мая|1800|5 мая}}, {{век|XIX}}", "5 мая (17 мая) 1800, XIX век"),
        ("it", "{{M|20|-|30|u=°C}}, 5{{e|6}}", "20–30 °C, 5×10⁶"),
        (
            "pt",
            "{{PBPE|trem|comboio}} no {{século|V|a.C.}}",
            "trem (português brasileiro) ou comboio (português europeu) no século V a.C.",
        ),
        ("nl", "{{convert|12.5|mi|km}} {{lang-en|City}} {{EUR|5}}", "12,5 mi (20,1 km) Engels: City € 5"),
        ("pl", "{{liczba|12345}} {{ang.|City}} {{data|2010-03-05}}{{fakt}}", "12 345 ang. City 5 marca 2010"),
        ("ar", "{{إنج|City}} {{تاريخ الميلاد|1950|3|5}} {{لا لف|10 كم}}", "بالإنجليزية: City 5 مارس 1950 10 كم"),
        ("uk", "{{lang-en|City}} {{s|10 км}} {{formatnum:12345}}", "англ. City 10 км 12 345"),
        ("cs", "{{km2|496}}, {{m n. m.|5}}, {{datum|4|5|2010}}{{fakt}}", "496 km², 5 m n. m., 4. května 2010"),
        ("ca", "{{unitats|5|km}}, {{segle|XIX}}, {{lang-es|Ciudad}}", "5 km, segle XIX, en castellà: Ciudad"),
        ("fi", "{{k-en|City}}, {{muunna|10|mi|km}}, {{murtoluku|1|2}}", "engl. City, 10 mi (16 km), 1/2"),
        ("tr", "{{MÖ|44}}, {{çevir|10|mi|km}}, {{doğum tarihi|1980|5|4}}", "MÖ 44, 10 mi (16 km), 4 Mayıs 1980"),
        ("he", "{{אנגלית|City}}{{הערה|x}}, {{קישור שפה|אנגלית|Tower|מגדל}}", "באנגלית: City, מגדל"),
        ("fa", "{{به انگلیسی|City}}{{یادچپ|x}} {{چسبان|5}}", "به انگلیسی: City 5"),
        ("hu", "{{szám|12345}}{{refhely|x}} {{ny|en}} {{dátum|2010|5|4}}", "12 345 2010. május 4."),
        ("ko", "{{llang|en|City}} {{일본어|도쿄|東京|Tōkyō}}", "영어: City 도쿄 (東京, Tōkyō)"),
        ("nl", "de 5{{e}} eeuw, {{datum|5|5|2010}}", "de 5e eeuw, 5 mei 2010"),
        ("nb", "{{birth date|1950|3|5}}", "5. mars 1950"),
        ("zh", "-{zh-hans:-{zh-hans:内;zh-hant:內}-;zh-hant:外}-", "内"),
        ("es", "{{unidad|12345|km}} el {{fecha|14|7|1789}}", "12 345 km el 14 de julio de 1789"),
        ("it", "{{M|12345|u=km}} {{nowrap|10 m}}", "12.345 km 10 m"),
        (
            "it",
            "{{Bio|Nome=Mario|Cognome=Rossi|Attività=pittore|Nazionalità=italiano}}",
            "Mario Rossi è un pittore italiano.",
        ),
        ("pt", "{{fmtn|12345|habitantes}} no {{séc|XIX}}", "12 345 habitantes no século XIX"),
        ("ru", "{{s|XIX век}} {{num|1234|км²}}{{нет АИ}} {{lang-en|City}}", "XIX век 1234 км² англ. City"),
        ("bg", "{{lang-en|City}} {{дата на раждане|1950|1|2}}", "на английски: City 2 януари 1950 г."),
        ("ja", "{{読み仮名|東京|とうきょう}}は{{和暦|1990}}{{要出典}}。", "東京（とうきょう）は平成2年。"),
        ("zh", "-{zh-hans:计算机;zh-hant:電腦}-{{lang-en|Computer}}", "计算机英语：Computer"),
        ("sv", "{{convert|10|mi|km}} {{nowrap|10 km}}", "10 mi (16 km) 10 km"),
    ],
)
def test_other_languages_have_templates_of_their_own(code: str, wikitext: str, text: str) -> None:
    """The same facts stand in other templates there."""
    assert text_of(wikitext, code) == text


@pytest.mark.parametrize(
    ("code", "heading"),
    [
        *(("nl", "Externe links"), ("pl", "Przypisy"), ("sv", "Källor"), ("ar", "مراجع"), ("uk", "Примітки")),
        *(("uk", "См. также"), ("cs", "Externí odkazy"), ("ko", "각주"), ("ca", "Referències")),
        ("he", "קישורים חיצוניים"),
    ],
)
def test_sections_of_references_have_names_in_many_languages(code: str, heading: str) -> None:
    """They are lists of links, which a corpus of text does not want."""
    assert text_of(f"Text.\n== {heading} ==\n* [http://a.example Site]", code) == "Text."


def test_a_module_is_not_run_but_named() -> None:
    """What a module writes is lost, so its name must be known."""
    page = page_of()

    assert article("a {{#invoke:Sports table|main|x=1}} b {{CURRENTYEAR}}", page) == "a b"

    assert list(page.unknown) == ["#invoke:sports table"]


def test_templates_of_the_recipe_come_first() -> None:
    """A user can add what the tables lack, and change what they have."""
    page = page_of(patterns={"chess move": "{1}[ ({comment})]", "nowrap": "", "snd": "-"})

    assert article("a {{Chess_move|e4}} {{chess move|e5|comment=good}}{{nowrap|x}}{{snd}}", page) == "a e4 e5 (good)-"


def test_unknown_templates_are_named() -> None:
    """What was not rendered must be known, or nobody can add it."""
    page = page_of()

    article("{{Strange thing}} {{nowrap|x}}", page)

    assert list(page.unknown) == ["strange thing"]
