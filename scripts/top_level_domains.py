"""Write src/twikit_pool/safety/text/tlds.txt: every top-level domain that X takes for one.

Which top-level domains there are is a fact of the root zone (iana.org/domains/root/db); the copy of the
Public Suffix List in the installed tldextract names them: the last labels of its lines between the ICANN
marks. X still links some that have left the root zone since; those are listed below.

Usage: python scripts/top_level_domains.py
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

PLACE = Path(__file__).parents[1] / "src/twikit_pool/safety/text/tlds.txt"

LEFT = """
abarth active adac afamilycompany aigo alfaromeo an aol autoauthor avianca bananarepublic bestbuy
biblia bl blanco bnl boots bq budapest bugatti cancerresearch cartier caseih cbn cbs ceb chloe
chrysler cityeats comcast comsec cookingchannel csc dabur dodge doha doosan duck duns dwg eh emerck
epost esurance etisalat everbank fiat flsmidth foodnetwork frontdoor fujixerox glade goodhands
grocery guardian helsinki hgtv honeywell hoteles htc iinet intel iselect iveco iwc jcp jlc
kerrylogistics kinder kpn lacaixa ladbrokes lancia lancome lexus liaison linde lipsy lixil loft
lotte lupin macys maserati mcd mcdonalds meo metlife mf mobily montblanc mopar movistar mtpc mutual
mutuelle nadex nationwide natura newholland nextdirect northwesternmutual off oldnavy onyourself
onyourside orientexpress otsuka pamperedchef panerai passagens piaget piperlime qvc raid rightathome
rmit rocher sapo sca scjohnson scor ses shaw showtime shriram spiegel spreadbetting srt starhub
statefarm statoil swiftcover symantec telecity telefonica theguardian tiffany tp travelchannel tushu
ubank uconnect um vista vistaprint volkswagen vuelos warman weir wolterskluwer xfinity xperia
yodobashi zippo اتصالات موبايلي 大众汽车 工行 手表 珠宝 诺基亚
"""
"""Delegated once (IANA's reports of removal) and no more, or codes of ISO 3166 that never were."""


def delegated() -> set[str]:
    """Those that the installed tldextract's copy names."""
    text = files("tldextract").joinpath(".tld_set_snapshot").read_text("utf-8")
    icann = text.partition("===BEGIN ICANN DOMAINS===")[2].partition("===END ICANN DOMAINS===")[0]
    lines = (line.strip().lstrip("*!.") for line in icann.splitlines())
    return {line.rpartition(".")[2] for line in lines if line and not line.startswith("//")}


def main() -> None:
    """Write the file."""
    names = sorted(delegated() | set(LEFT.split()))
    PLACE.write_text("\n".join(names) + "\n", encoding="utf-8")
    print(f"{len(names)} names in {PLACE}")


if __name__ == "__main__":
    main()
