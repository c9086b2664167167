"""No price in writing: amounts, rates, and the words that stand for them. The core rule of the house."""

from draftctl.gates.base import rule, rules_gate

_CURRENCY = r"(?:dollars?|bucks?|usd|eur|euros?|gbp|pounds?|quid|chf|francs?|cad|aud|yen|pesos?|reais|rubles?|roubles?|руб\w*|евро|долларов|zl|zloty\w*|kronor|roses?|donations?|kisses|tokens|benjamins|grand|hundo|hundos|rosas|rosen)"
_NUMBER = r"\d[\d.,'\s]*(?: ?k)?"
_UNIT = (
    r"(?:min|mins|minutes?|minuten|minutos?|hours?|hrs?|h|days?|weeks?|months?|years?|seconds?|secs?|miles?|mi|km|kms?|meters?|metres?|m|feet|ft|steps|people|guests|"
    r"percent|%|am|pm|o'?clock|th|st|nd|rd|degrees|characters|words|times|blocks|floors?|pages|kg|lbs|photos|stunden|uhr|horas?|heures?)"
)

_RULES = (
    rule(
        "currency-sign",
        r"[$€£¥₽₹₿฿₩]\s*\d",
        r"\d[\d.,]*\s*[$€£¥₽₹₿฿₩]",
        r"[$€£₽₹₿]{2,}",
        r"[💵💰💲💸🤑]",
        r"🌹\s*[x×*]?\s*\d|\d\s*[x×*]?\s*🌹",
        whole_words=False,
    ),
    rule(
        "amount",
        rf"{_NUMBER} {_CURRENCY}",
        rf"{_CURRENCY} ?(?:of |is |are |= |: )?{_NUMBER}",
        r"\d+ ?(?:円|元|块|원|руб)",
        unless=r"(?:a|one|two|three|1|2|3|4|5|6|single|dozen|12)(?: dozen)? (?:red |white |pink )?roses? (?:would|is|are|in|on|for the table)|\d+ pounds? (?:lighter|heavier|overweight)",
    ),
    rule(
        "per-time",
        rf"(?!\d{{1,2}}[:.]\d\d\b){_NUMBER} ?(?:/|per|an|a|for (?:the|an|one|a)|for|pro|por|par|je|all'?|la|the|each|every|=|-) ?(?:full |whole |half |first )?(?:hours?|hrs?|hr|h|half ?-?hour|hh|night|overnight|evening|session|visit|date|date night|meeting|stunde|hora|heure|ora|noche|nacht|nuit|notte|час\w*|ночь|quarter|qv|afternoon|weekend|day|time together|30|60|90)\b",
        r"(?:hour|half hour|hr|hh|night|overnight|evening|session|date|visit|weekend) (?:is|are|=|:|for|at|would be|comes to|runs|costs?) (?:about |around |only |just )?\d{2,}",
        unless=rf"\d+ (?:minutes?|mins?|min|hours?|guests|people|of us) (?:for|a|per|each|the) |(?:at|around|until|till|by|after|before|from|about|to|-|–) ?\d{{1,2}}(?::\d\d)? ?(?:am|pm)? (?:for|the|a|each|every) |(?:hour|evening|session|date|visit|night) (?:is|at|for|are) (?:about |around )?\d{{1,2}}(?:[:.]\d\d| ?(?:am|pm|{_UNIT}))",
    ),
    rule(
        "how-about",
        r"(?:how about|it'?s|it is|that'?s|would be|for|make it|say|around|about|only|just) [6-9]0(?=[.!?,]|$)",
        r"(?:\d{2,}|cien|cent|zwei ?hundert) (?:euros?|dolares|dollar)|(?:dos|tres|cuatro|cinco|deux|trois|quatre|cinq|due|tre|quattro|cinque|zwei|drei|vier|funf) ?(?:cientos|cents|cento|hundert)(?: (?:euros?|dolares|dollar|la|die|l'|pro|par))?",
        unless=r"(?:it'?s|it is|for|around|about|say) [6-9]0 (?:minutes|years)",
    ),
    rule(
        "price-word",
        r"prices?|pricing|priced|pric(?:e|ing) list",
        r"(?:my|the|our|your|hourly|special|usual|standard|current|in ?call|out ?call|day|night|flat|going|overnight) rates?|rates? (?:is|are|start|starts|begin|for|from|vary|depend|card|list|sheet)|rates",
        r"costs?(?: (?:you|is|are|of))?|how much (?:it|i|for|an?|do|is)|fees?|tariffs?|donations?|tributes?|contributions?|honorarium|compensation|retainer|allowance|(?:a|your|the|generous|small|usual|monetary|suggested) (?:gift|offering|consideration)(?: (?:of|for|is|amount))",
        r"(?:i|we) (?:charge|ask|take|want|need|quote|expect) (?:you )?(?:about |around |only |just |at least |a minimum of |from |for )?(?:\d{2,}(?! ?(?:hours?|minutes?|min|days?|weeks?|people|miles|km|more|steps))|for)",
        r"(?:charges?|charged) (?:is|are|for|you|per|by|an?|apply|about|around)|surcharge|discount(?:s|ed)?|(?:half|full) price|expensive|cheap(?:er)?|affordable|budget|bargain|haggl\w+|negotiat\w+|hourly (?:rate|price)",
        r"precios?|cuesta[ns]?|cobro|tarifas?|preise?|kostet|kosten|tarife?|honorar|prix|coute|tarifs?|prezz[oi]|costa|tariff[ae]|precos?|custa|cobro|cena|kosztuje|цен[аыу]\w*|стоит|стоимост\w+|тариф\w*|fiyat|ucret",
        unless=r"hours? notice|cost(?:s)? (?:me|us|her|him) (?:some|my|a lot of|her|his) (?:sleep|nerves|time|patience|tears|evening)|donations? (?:of|to) (?:books|blood|clothes|food|the (?:library|museum|shelter|church|school))|how much (?:do|did|does) (?:you|i|we|he|she|they) (?:like|love|enjoy|miss|know|remember|sleep)|how much (?:i|we) (?:liked?|loved?|enjoy\w*|missed|appreciate)|prix (?:nobel|goncourt|litteraire)|grand prix|nobel pri[zc]e|at any rate|at all costs|at any cost|heart ?-?rate|rate of|(?:first|second|third) ?-?rate|free of charge|in charge|take charge|priceless|charge (?:my|your|the) (?:phone|battery|car)|gift (?:of|for) (?:laughter|time|gab|words)|coffee|costa rica|costa (?:brava|del)|costume\w*|costs? (?:you )?nothing|contributions? to (?:the conversation|science)|costs? (?:me|us) (?:nothing|no)|cost (?:me|you|us) (?:nothing|a thing)|compensation for (?:the|my) delay|what it costs me",
    ),
    rule("price-cjk", r"价格|價格|多少钱|多少錢|料金|値段|가격|요금", whole_words=False),
    rule(
        "bare-sum",
        rf"(?:[1-9]\d{{2}}|[1-9][\s,.']?\d{{3}}|[6-9]0|\d{{1,2}}00|\d[\s.]?\d?k)(?! ?{_UNIT}\b)",
        unless=r"(?:1[0-9]|20)\d\d(?= ?(?:[.,!?]|and|when|was|in|the|we|$))|\d+ (?:rooms|books|people|pages|steps|guests|seats|words|films|bus|layers|birds|flowers|trees|kilos|grams|meters|steps|bottles|kinds|plants|photos|recipes|miles|cities|countries|days|nights|weeks|friends|others|paintings|stars|students|notes)|(?:the|number|line|bus|tram) \d+ (?:bus|tram|train|line)|(?:built|founded|since|from|year|anno|born|in) (?:in )?1\d{3}|(?:19|20)\d\d|\d+[:.]\d\d\b|[01]?\d[0-5]\d ?(?:am|pm|hrs?|h|hours|o'?clock)|(?:at|until|till|by|after|before|from) (?:0\d|1\d|2[0-3])[0-5]\d\b|hundred (?:thanks|times|apologies|reasons|percent|years)|100 (?:thanks|times|apologies|reasons|years)|(?:room|suite|apt|floor|flight|gate|page|number|bus|route|track|chapter|highway|terminal|psalm|world of) ?#?\d+|"
        r"(?:age|aged|over|under|turning|turned|is|his|her|of|the) (?:60|70|80|90)(?:s|'s|th)?\b|100 ?(?:%|percent|per cent)|101|24/7|365|007|90s|80s|70s|60s",
    ),
    rule(
        "sum-in-words",
        r"(?:a|one|two|three|four|five|six|seven|eight|nine|ten|couple|few|half|several) (?:of )?(?:hundred|hundo|hundos|grand|benjamins|bills|bands|racks|thousand|k\b)(?! (?:times|percent|miles|people|years|things|reasons|degrees|words|kisses|apologies|thanks|thank))",
        unless=r"(?:piano|baby) grand|the grand|a thousand (?:apologies|thanks)|pay (?:the|my) bills",
    ),
)

AMOUNTS = tuple(one for one in _RULES if one.id in ("currency-sign", "amount", "per-time", "sum-in-words"))
GATE = rules_gate("price", "No price is ever put in writing.", body=_RULES)
