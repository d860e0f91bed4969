"""The words the sample company is made of. All names are invented by combination and belong to nobody."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    "Ada Alva Anouk Aurel Bela Birte Bruno Carla Cosima Dario Delia Edda Egon Elin Emre Enzo Fanny Feline Fritz Gesa"
    " Gunnar Hana Hedda Henri Ida Ilse Imre Ines Jaro Jella Jonas Juna Kaja Kiran Klara Lasse Leni Levin Linus Lotte"
    " Maite Malin Marek Mika Mona Nadir Nele Nils Noemi Olga Orla Oskar Pavel Pia Quinn Ravi Rika Romy Runa Sami Selma"
    " Signe Sven Tamar Tilda Timo Ulla Vera Vito Wanda Wim Xenia Yara Yunus Zita Zoran"
)
LAST_BEGIN = _words(
    "Ahl Berg Birk Brand Dorn Eich Falk Feld Fink Grau Hell Holm Kern Lind Mond Nord Ost Quell"
    " Rab Rot Sand Schar Stein Stern Sund Tal Ulm Wald Wind Zell"
)
LAST_END = _words("acher aner auer berg born eder feld gren hauser holt ing lund mann mark ner strand wick winter")

COMPANY_BEGIN = _words(
    "Amber Apex Aster Birch Bluff Cedar Cinder Copper Delta Ember Fern Flint Garnet Harbor Indigo Juniper Kestrel Larch"
    " Meridian Nimbus Onyx Pebble Quarry Rowan Saffron Tundra Umbra Vesper Willow Zephyr"
)
COMPANY_MIDDLE = _words("bridge brook cliff crest dale field ford forge gate grove haven loom mill point ridge")
COMPANY_END = _words(
    "Foods Freight Health Instruments Labs Logistics Materials Optics Paper Power Robotics"
    " Software Studios Systems Textiles Tools Travel Water Works"
)

TITLES = (
    "Head of Operations",
    "Chief Financial Officer",
    "IT Manager",
    "Procurement Lead",
    "Marketing Director",
    "Plant Manager",
    "Data Analyst",
    "Managing Director",
    "Customer Care Lead",
    "Engineer",
)
INDUSTRIES = ("Manufacturing", "Transportation", "Healthcare", "Technology", "Retail", "Energy", "Education")
COUNTRIES = ("Germany", "Austria", "Switzerland", "France", "Netherlands", "United Kingdom", "United States", "Canada")
PRODUCTS = ("Starter", "Renewal", "Expansion", "Pilot", "Platform", "Training")
ROLES = ("Decision Maker", "Economic Buyer", "Evaluator", "Executive Sponsor", "Influencer", "Business User")
LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
# of each year: type, month it begins, days it lasts, share of those asked who respond
CAMPAIGNS: dict[str, tuple[str, int, int, float]] = {
    "Newsletter": ("Email", 1, 360, 0.08),
    "Winter workshop": ("Conference", 2, 2, 0.45),
    "Spring webinar": ("Webinar", 4, 1, 0.35),
    "Trade fair": ("Trade Show", 5, 4, 0.5),
    "Product launch": ("Email", 9, 30, 0.15),
    "Customer day": ("Conference", 10, 1, 0.6),
}
DISPOSITIONS = ("Connected", "Left voicemail", "No answer", "Wrong number", "Asked to call back")
CALLS = ("Introduction", "Follow-up", "Qualification", "Check-in", "Contract questions")
MEETINGS = ("Discovery meeting", "Demo", "Workshop", "Contract review", "Quarterly review")
TASKS = ("Send price list", "Prepare demo", "Send contract", "Ask for references")

# Pardot activity type -> (how often, names of the asset)
ASSETS: dict[int, tuple[int, tuple[str, ...]]] = {
    6: (30, ("Newsletter", "Product news", "Invitation")),
    11: (18, ("Newsletter", "Product news", "Invitation")),
    1: (14, ("Newsletter", "Product news", "Invitation")),
    20: (12, ("www.practice.example/products", "www.practice.example/prices", "www.practice.example/about")),
    4: (10, ("Contact us", "Demo", "White paper", "Newsletter sign-up")),
    2: (6, ("White paper", "Price list", "Contact us")),
    25: (4, ("Spring webinar", "Winter workshop")),
    24: (3, ("Spring webinar", "Winter workshop")),
    13: (2, ("Newsletter", "Product news")),
    12: (1, ("Newsletter",)),
}
