"""Three invented businesses that could not be taken for one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goods:
    """Something that the business sells: SKU, name, unit, price, tax rate, and how often it is bought."""

    sku: str
    name: str
    unit: str
    price: str
    rate: str = "Standard"
    weight: int = 3


@dataclass(frozen=True)
class Client:
    """A customer of the business."""

    name: str
    contact: str
    street: str
    postcode: str
    city: str
    country: str
    weight: int = 2


@dataclass(frozen=True)
class Business:
    """What :func:`demo_app.seeding.seed` needs to make up a year and a half of trade."""

    random_seed: int
    settings: Mapping[str, str]
    tax_percents: Mapping[str, str]
    users: tuple[tuple[str, str, str], ...]  # name, e-mail, role
    goods: tuple[Goods, ...]
    clients: tuple[Client, ...]
    invoices: int
    lines: tuple[int, int]
    quantities: tuple[int, ...]
    season: tuple[float, ...]  # how busy each month is, January first
    references: tuple[str, ...] = ()
    half_quantities: bool = False
    iban: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)  # by e-mail, what users work at
    orders: tuple[tuple[str, str], ...] = ()  # description, total
    tickets: tuple[tuple[str, str], ...] = ()  # subject, body
    judgements: tuple[str, ...] = (  # whether customers pay
        "Pays early. 30 days are fine.",
        "Reminded twice last year.",
        "Prepayment for more than 5,000 only.",
    )
    credit_reasons: tuple[str, ...] = ()
    rate_names: Mapping[str, str] = field(default_factory=dict)  # what its tax rates are called, by our names
    tax_id: str = "{n}"  # how tax numbers look


ACME = Business(
    random_seed=1848,
    settings={
        "company_name": "Acme Tools",
        "tagline": "Honest tools since 1948",
        "street": "2100 W Fulton Street",
        "city": "Chicago, IL 60612",
        "email": "billing@acme-tools.example",
        "phone": "+1 312 555 0142",
        "vat_id": "EIN 00-1234567",
        "bank_account": "Lakeshore Bank · 000123456789",
        "currency": "USD",
        "locale": "en_US",
        "accent_colour": "#c2410c",
        "heading_font": "sans",
        "invoice_prefix": "AT",
        "payment_days": "30",
        "invoice_footer": "Tools may be returned within 30 days in their original packaging. Thank you!",
    },
    tax_percents={"Standard": "8.25", "Reduced": "2.25", "Zero": "0"},
    users=(
        ("Wile Coyne", "owner@acme-tools.example", "owner"),
        ("Dana Reyes", "dana@acme-tools.example", "member"),
        ("Rick Dolan", "rick@acme-tools.example", "member"),
    ),
    goods=(
        Goods("DRL-18V", "Cordless drill 18 V", "pcs", "149.00", weight=6),
        Goods("DRL-BIT29", "Drill bit set, 29 pieces", "set", "64.50", weight=5),
        Goods("SAW-CIRC", "Circular saw 7¼ in", "pcs", "189.00", weight=4),
        Goods("SAW-MITRE", "Sliding mitre saw 10 in", "pcs", "429.00", weight=2),
        Goods("SAW-BLADE", "Saw blade, carbide, 40 teeth", "pcs", "32.90", weight=6),
        Goods("HAM-16", "Framing hammer 16 oz", "pcs", "34.00", weight=5),
        Goods("HAM-DEMO", "Demolition hammer 15 A", "pcs", "569.00", weight=1),
        Goods("WRN-SET12", "Combination wrench set, 12", "set", "89.00", weight=4),
        Goods("WRN-IMP", "Impact wrench ½ in", "pcs", "239.00", weight=3),
        Goods("GRD-45", "Angle grinder 4½ in", "pcs", "99.00", weight=4),
        Goods("GRD-DISC", "Cutting discs, box of 25", "box", "41.75", weight=6),
        Goods("SND-ORB", "Random orbit sander", "pcs", "79.00", weight=3),
        Goods("SND-PAPER", "Sanding sheets, pack of 50", "pack", "24.90", weight=5),
        Goods("LVL-LASER", "Cross line laser, green", "pcs", "219.00", weight=2),
        Goods("LVL-48", "Box level 48 in", "pcs", "58.00", weight=3),
        Goods("CLM-BAR6", "Bar clamps 24 in, set of 6", "set", "119.00", weight=3),
        Goods("FAS-SCR5", "Deck screws 3 in, 5 lb", "box", "38.50", weight=7),
        Goods("FAS-NAIL", "Framing nails, 2,000", "box", "52.00", weight=6),
        Goods("COM-PAN6", "Pancake compressor 6 gal", "pcs", "179.00", weight=2),
        Goods("SAF-GLASS", "Safety glasses, pack of 10", "pack", "39.00", "Reduced", 4),
        Goods("SAF-GLOVE", "Work gloves, dozen", "dozen", "66.00", "Reduced", 4),
        Goods("BOX-ROLL", "Rolling tool chest", "pcs", "389.00", weight=1),
        Goods("SVC-SHARP", "Blade sharpening", "pcs", "18.00", "Zero", 3),
        Goods("SVC-REPAIR", "Bench repair", "hour", "85.00", "Zero", 2),
    ),
    clients=(
        Client("Lakefront Builders LLC", "Marcus Hale", "410 N Wells Street", "60654", "Chicago", "US", 6),
        Client("Prairie State Roofing", "Erin Novak", "77 Industrial Drive", "60126", "Elmhurst", "US", 5),
        Client("Hawthorne Cabinetry", "Luis Ortega", "1520 S Cicero Avenue", "60804", "Cicero", "US", 4),
        Client("Great Lakes Marine Repair", "Judith Sloane", "9 Harbor Road", "53402", "Racine", "US", 3),
        Client("Northside Hardware", "Pat O'Brien", "3312 N Lincoln Avenue", "60657", "Chicago", "US", 5),
        Client("Twin Rivers Decking", "Sam Whitaker", "205 River Street", "61101", "Rockford", "US", 3),
        Client("Oak & Iron Furniture", "Priya Raman", "18 Mill Lane", "46601", "South Bend", "US", 3),
        Client("Bluegrass Fencing Co.", "Tom Harlan", "640 Old Mill Pike", "40508", "Lexington", "US"),
        Client(
            "City of Joliet, Facilities", "Purchasing", "150 W Jefferson Street", "60432", "Joliet", "US", 3
        ),
        Client("Maple Grove School District", "Anita Boyd", "88 School Road", "55369", "Maple Grove", "US"),
        Client("Cedar Creek Log Homes", "Bill Ahlgren", "RR 2 Box 40", "54806", "Ashland", "US"),
        Client("Fox Valley Plumbing", "Greg Schulz", "1201 Lake Street", "60506", "Aurora", "US", 3),
        Client("Midway Auto Body", "Rosa Delgado", "5601 S Pulaski Road", "60629", "Chicago", "US"),
        Client("Sunrise Solar Installers", "Kevin Tran", "900 Solar Way", "60517", "Woodridge", "US", 4),
        Client("Ironbound Welding", "Dee Washington", "73 Forge Street", "46320", "Hammond", "US"),
        Client(
            "Heritage Restoration Group", "Clara Whitfield", "12 Court Square", "62701", "Springfield", "US"
        ),
        Client("Maple Leaf Contractors", "Jean Tremblay", "480 King Street W", "M5V 1L7", "Toronto", "CA"),
        Client("Badger State Millwork", "Otto Krueger", "2700 Mill Road", "53704", "Madison", "US"),
        Client("Riverside Property Care", "Nina Brooks", "31 Riverside Plaza", "60606", "Chicago", "US", 3),
        Client("Hoosier Timber Frames", "Caleb Yoder", "4210 County Road 17", "46526", "Goshen", "US"),
        Client("Windy City Sets & Stages", "Alex Moreno", "1800 W Hubbard Street", "60622", "Chicago", "US"),
        Client("Dune Country Landscaping", "Beth Larsen", "55 Shore Drive", "49085", "St. Joseph", "US", 1),
    ),
    invoices=210,
    lines=(1, 6),
    quantities=(1, 1, 1, 2, 2, 3, 4, 6, 10, 12),
    season=(0.6, 0.7, 1.0, 1.3, 1.5, 1.5, 1.2, 1.2, 1.3, 1.1, 0.9, 0.7),
    references=("PO 4{n}", "Job {n}", ""),
    iban="IE00 LAKE 0000 0012 3456 78",
    roles={
        "owner@acme-tools.example": "auditor",
        "dana@acme-tools.example": "accounting",
        "rick@acme-tools.example": "agent",
    },
    orders=(
        ("40 cordless drills for the summer crews", "5364.00"),
        ("Tool chests for the new depot", "12448.00"),
        ("Deck screws, 200 boxes", "7700.00"),
        ("Demolition hammers and a spare set of chisels", "2276.00"),
        ("Complete workshop for the trade school", "28950.00"),
        ("Safety glasses and gloves for a year", "1840.00"),
        ("Line lasers, one for each truck", "3066.00"),
        ("Compressors and framing nailers", "10740.00"),
        ("Saw blades, quarterly delivery", "987.00"),
        ("Mitre saws with stands", "3432.00"),
    ),
    tickets=(
        (
            "Drill stops under load",
            "Two of the 18 V drills cut out after a minute. Serial numbers 4471 and 4472.",
        ),
        ("Invoice was sent to the old address", "We moved in March. Please send it again."),
        ("Return of six bar clamps", "Wrong length: we asked for 36 in."),
        ("Can you sharpen planer knives?", "13 in, three sets, before the end of the month."),
        ("Pallet arrived wet", "The lower row of screw boxes is soaked. Photos follow."),
        ("Tax exempt certificate", "Attached for our file with you, valid until next June."),
        ("Laser out of calibration", "Off by ¼ in over 30 ft after a fall."),
        ("Delivery on Saturday?", "The yard is open from 7 to 11."),
    ),
    credit_reasons=("Returned in original packaging", "Damaged in transit", "Price agreed by phone"),
    tax_id="36-0{n}",
)

BELLA = Business(
    random_seed=1402,
    settings={
        "company_name": "Bella Flowers",
        "tagline": "Seasonal flowers, grown nearby",
        "street": "7 Walcot Street",
        "city": "Bath BA1 5BN",
        "email": "hello@bella-flowers.example",
        "phone": "+44 1225 496 0135",
        "vat_id": "GB 000 1234 56",
        "bank_account": "Sort code 00-00-00 · Account 12345678",
        "currency": "GBP",
        "locale": "en_GB",
        "accent_colour": "#be185d",
        "heading_font": "serif",
        "invoice_prefix": "BF",
        "payment_days": "14",
        "invoice_footer": "Keep stems in fresh water and out of the sun. Vases are on loan for two weeks.",
    },
    tax_percents={"Standard": "20", "Reduced": "5", "Zero": "0"},
    users=(
        ("Isabella Conti", "owner@bella-flowers.example", "owner"),
        ("Megan Price", "megan@bella-flowers.example", "member"),
        ("Tom Hale", "tom@bella-flowers.example", "member"),
    ),
    goods=(
        Goods("BQ-SEASON", "Seasonal bouquet", "pcs", "32.00", weight=9),
        Goods("BQ-LARGE", "Large seasonal bouquet", "pcs", "55.00", weight=6),
        Goods("BQ-ROSE12", "A dozen garden roses", "dozen", "48.00", weight=5),
        Goods("BQ-PEONY", "Peonies, ten stems", "bunch", "42.50", weight=3),
        Goods("BQ-TULIP", "Tulips, twenty stems", "bunch", "24.00", weight=5),
        Goods("BQ-DRIED", "Dried flower bunch", "bunch", "28.00", weight=3),
        Goods("TB-POSY", "Table posy in a jar", "pcs", "12.50", weight=8),
        Goods("TB-CENTRE", "Table centrepiece", "pcs", "38.00", weight=5),
        Goods("TB-LONG", "Long table garland, per metre", "m", "29.00", weight=3),
        Goods("WD-BRIDE", "Bridal bouquet", "pcs", "135.00", weight=2),
        Goods("WD-BUTTON", "Buttonhole", "pcs", "9.50", weight=4),
        Goods("WD-ARCH", "Flower arch", "pcs", "420.00", weight=1),
        Goods("SU-LOBBY", "Lobby flowers, weekly", "week", "65.00", weight=7),
        Goods("SU-DESK", "Reception desk flowers, weekly", "week", "35.00", weight=7),
        Goods("PL-FERN", "Boston fern, potted", "pcs", "18.00", weight=3),
        Goods("PL-HERBS", "Kitchen herbs, tray of six", "tray", "14.00", "Zero", 3),
        Goods("PL-ORCHID", "Orchid in ceramic pot", "pcs", "36.00", weight=3),
        Goods("WR-DOOR", "Door wreath", "pcs", "45.00", weight=2),
        Goods("SV-DELIVER", "Delivery in Bath", "trip", "6.50", weight=8),
        Goods("SV-SETUP", "Setting up on site", "hour", "28.00", weight=3),
    ),
    clients=(
        Client("The Crescent Hotel", "Oliver Grant", "16 Royal Avenue", "BA1 2LX", "Bath", "GB", 8),
        Client("Pulteney Tea Rooms", "Flora Hughes", "3 Argyle Street", "BA2 4BA", "Bath", "GB", 6),
        Client("Walcot Weddings", "Sophie Bennett", "88 Walcot Street", "BA1 5BD", "Bath", "GB", 6),
        Client("St Swithin's Church", "Rev. Anne Cole", "The Paragon", "BA1 5LY", "Bath", "GB", 4),
        Client("Avon Dental Practice", "Reception", "21 Gay Street", "BA1 2PD", "Bath", "GB", 4),
        Client("Holt Manor Events", "James Ashdown", "Holt Manor", "BA14 6PR", "Holt", "GB", 4),
        Client("Larkhall Bookshop", "Ruth Adeyemi", "9 St Saviour's Road", "BA1 6RT", "Bath", "GB", 3),
        Client(
            "Kennet & Partners Solicitors", "Daniel Kennet", "40 Queen Square", "BA1 2HX", "Bath", "GB", 5
        ),
        Client("The Old Brewery Restaurant", "Marco Villa", "1 Locksbrook Road", "BA1 3EW", "Bath", "GB", 5),
        Client("Somerset Garden Theatre", "Imogen Fry", "Sydney Gardens", "BA2 6NT", "Bath", "GB", 2),
        Client("Emma & Tom Whitcombe", "Emma Whitcombe", "12 Bloomfield Road", "BA2 2AB", "Bath", "GB", 1),
        Client("Priya & Jack Sandhu", "Priya Sandhu", "5 Lyncombe Hill", "BA2 4PG", "Bath", "GB", 1),
        Client("Bradford Spa Retreat", "Helen Frost", "2 Mill Lane", "BA15 1LB", "Bradford-on-Avon", "GB", 5),
        Client("Clifton Art Rooms", "Theo Marsh", "55 Park Street", "BS1 5JN", "Bristol", "GB", 3),
        Client("Mendip Farm Shop", "Gill Tucker", "Wells Road", "BA3 4LZ", "Radstock", "GB", 3),
        Client("Corsham Primary School", "Office", "Pound Pill", "SN13 9YW", "Corsham", "GB", 1),
        Client("Thermae Yoga Studio", "Lena Ward", "6 Hot Bath Street", "BA1 1SJ", "Bath", "GB", 3),
        Client("Freshford Village Hall", "Nick Dean", "Freshford Lane", "BA2 7UR", "Freshford", "GB", 1),
        Client("Georgian House Museum", "Visitor Desk", "1 Brock Street", "BA1 2LW", "Bath", "GB", 3),
        Client("Ms C. Hartley", "Caroline Hartley", "30 Camden Crescent", "BA1 5HY", "Bath", "GB", 2),
        Client("Mr & Mrs A. Powell", "Gwen Powell", "4 Combe Park", "BA1 3NE", "Bath", "GB", 2),
        Client("Wye Valley Weddings", "Rhian Morgan", "11 Bridge Street", "NP16 5EZ", "Chepstow", "GB", 2),
        Client("Maison Lavande", "Camille Roux", "8 rue des Lices", "35000", "Rennes", "FR", 1),
        Client("Kilkenny Castle Weddings", "Aoife Byrne", "2 Castle Road", "R95 YX70", "Kilkenny", "IE", 1),
        Client("Green Park Station Market", "Market Office", "Green Park Road", "BA1 1JB", "Bath", "GB", 2),
        Client("Riverside Care Home", "Judy Lloyd", "Lower Bristol Road", "BA2 3DQ", "Bath", "GB", 4),
    ),
    invoices=280,
    lines=(1, 4),
    quantities=(1, 1, 1, 2, 2, 3, 4, 4, 8),
    season=(0.6, 1.6, 1.2, 1.0, 1.7, 1.4, 1.2, 1.0, 0.9, 0.7, 0.7, 1.5),
    references=("", "", "Order by phone", "Event {n}"),
    iban="GB00 AVON 0000 0012 3456 78",
    roles={
        "owner@bella-flowers.example": "accounting auditor",
        "megan@bella-flowers.example": "agent",
        "tom@bella-flowers.example": "agent",
    },
    orders=(
        ("Flowers for the Whitcombe wedding", "3480.00"),
        ("Christmas at the Crescent Hotel", "11250.00"),
        ("Lobby flowers, the whole year", "3380.00"),
        ("Harvest festival", "640.00"),
        ("Opening night, foyer and stage", "1275.00"),
        ("Easter wreaths, thirty", "1350.00"),
        ("A table garland of twelve metres", "348.00"),
        ("Summer ball in the Assembly Rooms", "14900.00"),
        ("Posies for forty tables", "500.00"),
    ),
    tickets=(
        ("Peonies instead of roses?", "If they are still to be had on the 14th."),
        ("The lobby vase has a crack", "Could you bring another on Monday?"),
        ("Deliver to the side door", "The front steps are being repaired until Friday."),
        ("Lilies, please not", "A guest is allergic. Anything else is lovely."),
        ("Wreath had browned by Sunday", "It hung outside, out of the sun."),
        ("Standing order over the holidays", "We are closed for two weeks in August."),
        ("Which flowers are safe for cats?", "For the care home's conservatory."),
    ),
    credit_reasons=("Flowers did not last", "Vase returned", "Delivery came late"),
    tax_id="{n} 10{n}",
)

NORD = Business(
    random_seed=6753,
    settings={
        "company_name": "Nordlicht Studio",
        "tagline": "Marken, Räume, Bewegtbild",
        "street": "Kleine Reichenstraße 4",
        "city": "20457 Hamburg",
        "email": "buchhaltung@nordlicht-studio.example",
        "phone": "+49 40 5550 1290",
        "vat_id": "DE000000000",
        "bank_account": "IBAN DE00 0000 0000 0000 0000 00",
        "currency": "EUR",
        "locale": "de_DE",
        "accent_colour": "#4f46e5",
        "heading_font": "mono",
        "invoice_prefix": "NL",
        "payment_days": "21",
        "invoice_footer": "Zahlbar ohne Abzug. Nutzungsrechte gehen mit vollständiger Bezahlung über.",
    },
    tax_percents={"Standard": "19", "Reduced": "7", "Zero": "0"},
    rate_names={"Standard": "Regelsatz", "Reduced": "Ermäßigt", "Zero": "Steuerfrei"},
    users=(
        ("Jonas Petersen", "owner@nordlicht-studio.example", "owner"),
        ("Aylin Kaya", "aylin@nordlicht-studio.example", "member"),
        ("Lena Brandt", "lena@nordlicht-studio.example", "member"),
    ),
    goods=(
        Goods("DES-SENIOR", "Gestaltung, Leitung", "Stunde", "125.00", weight=9),
        Goods("DES-JUNIOR", "Gestaltung", "Stunde", "85.00", weight=7),
        Goods("STR-WS", "Strategie-Workshop", "Tag", "2400.00", weight=3),
        Goods("DEV-FE", "Web-Entwicklung", "Stunde", "115.00", weight=6),
        Goods("MOV-SHOOT", "Dreh mit drei Leuten", "Tag", "4200.00", weight=2),
        Goods("MOV-EDIT", "Schnitt und Farbe", "Stunde", "105.00", weight=4),
        Goods("FOT-DAY", "Fotografie", "Tag", "1650.00", weight=3),
        Goods("ILL-SET", "Illustrationen", "Satz", "1900.00", "Reduced", 2),
        Goods("LIC-FONT", "Schriftlizenz", "Stück", "360.00", "Reduced", 1),
        Goods("PRT-CARD", "Visitenkarten, 500", "Karton", "148.00", weight=2),
        Goods("EXH-STAND", "Entwurf eines Messestands", "Projekt", "8900.00", weight=1),
        Goods("HST-CARE", "Pflege der Website", "Monat", "290.00", weight=6),
    ),
    clients=(
        Client("Hanse Kaffee GmbH", "Birgit Lorenz", "Am Sandtorkai 30", "20457", "Hamburg", "DE", 5),
        Client(
            "Alsterblick Immobilien AG", "Dr. Henrik Voss", "Jungfernstieg 12", "20354", "Hamburg", "DE", 3
        ),
        Client("Museum am Hafen", "Katrin Oltmanns", "Überseeallee 3", "20457", "Hamburg", "DE", 3),
        Client("Fjordline Kosmetik", "Ingrid Solberg", "Bryggen 17", "5003", "Bergen", "NO", 3),
        Client("Øresund Cykler ApS", "Mads Thomsen", "Vesterbrogade 41", "1620", "København", "DK", 2),
        Client("Stadtwerke Lüneburg", "Einkauf", "Auf der Hude 8", "21339", "Lüneburg", "DE", 4),
        Client("Deichkind Kitas e. V.", "Svenja Harms", "Deichstraße 22", "20459", "Hamburg", "DE"),
        Client("Voltaik Nord Solar", "Emre Yıldız", "Peutestraße 51", "20539", "Hamburg", "DE", 3),
        Client("Weingut Sommerfeld", "Paul Sommerfeld", "Kellergasse 5", "3500", "Krems", "AT"),
        Client("Lagom Möbler AB", "Karin Lindqvist", "Götgatan 60", "118 26", "Stockholm", "SE", 2),
        Client("Filmfest Ostsee", "Mira Jansen", "Am Strande 3", "18055", "Rostock", "DE"),
        Client("Kontor Digital SE", "Tobias Reimers", "Ballindamm 27", "20095", "Hamburg", "DE", 4),
    ),
    invoices=74,
    lines=(1, 4),
    quantities=(1, 2, 4, 6, 8, 12, 16, 24),
    season=(1.0, 1.1, 1.2, 1.0, 1.0, 1.1, 0.8, 0.7, 1.2, 1.2, 1.3, 1.1),
    references=("Projekt {n}", "Angebot {n}", ""),
    half_quantities=True,
    iban="DE00 0000 0000 0000 0000 00",
    roles={
        "owner@nordlicht-studio.example": "auditor",
        "aylin@nordlicht-studio.example": "accounting",
        "lena@nordlicht-studio.example": "agent",
    },
    orders=(
        ("Neuer Auftritt: Marke, Website, Geschäftsausstattung", "48600.00"),
        ("Imagefilm, drei Minuten", "16400.00"),
        ("Messestand in Lübeck", "8900.00"),
        ("Fotografie der neuen Räume", "3300.00"),
        ("Jahresbericht, 64 Seiten", "12750.00"),
        ("Schriftlizenzen für fünf Arbeitsplätze", "1800.00"),
        ("Pflege der Website, ein Jahr", "3480.00"),
        ("Plakatserie zum Hafengeburtstag", "5200.00"),
    ),
    tickets=(
        ("Logo für die Stickerei", "Der Anbieter verlangt eine Fassung mit höchstens drei Farben."),
        ("Termin für die Abnahme verschieben", "Donnerstag passt uns besser als Mittwoch."),
        ("Film ruckelt auf dem Messerechner", "In 1080p läuft er, in 4K nicht."),
        ("Umlaute in der Visitenkarte", "Aus Lüneburg wurde L?neburg."),
        ("Rechnung bitte an die Buchhaltung", "Die Anschrift steht im Anhang."),
        ("Zugang zum Redaktionssystem", "Für zwei neue Kolleginnen."),
    ),
    judgements=(
        "Zahlt früh. 30 Tage sind in Ordnung.",
        "Voriges Jahr zweimal erinnert.",
        "Über 5.000 nur gegen Vorkasse.",
    ),
    credit_reasons=("Stunden zu viel berechnet", "Termin abgesagt", "Nachlass wie besprochen"),
    tax_id="48/7{n}/0{n}",
)

BUSINESSES: Mapping[str, Business] = {"acme": ACME, "bella": BELLA, "nord": NORD}
