"""No promise that nobody made: a time, a place, or "you are verified", unless a fact of the thread (an atom) says so.

A fact about screening counts only when it comes from a person or from upstream; the classifier never sets it (`classifier.TRUSTED`).
"""

from collections.abc import Iterable

from draftctl.gates.base import NOTHING, Around, Gate, Side, rule, run_rules
from draftctl.models import is_known

VERIFIED = ("screened", "verified", "references")
TIME = ("time", "day", "date", "slot", "appointment")
PLACE = ("place", "location", "address", "hotel")

_DAY = r"(?:mon|tues?|wednes|thurs?|fri|satur|sun)days?|(?:mon|tue|wed|thu|fri|sat|sun)|today|tonight|tom+or+ow(?: (?:night|evening|afternoon|morning))?|tmrw|2moro|the \d{1,2}(?:st|nd|rd|th)|(?:this|next) (?:\w+day|week|weekend|evening|afternoon)"
_HOUR = (
    r"(?:noon|midnight|half past \w+|quarter (?:to|past) \w+|\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|a\.m|p\.m|o'?clock|uhr|h)?)"
)
_WHEN = rf"(?:(?:on )?(?:{_DAY})(?:,? (?:evening|afternoon|morning|night))?(?: at {_HOUR})?|at {_HOUR}(?: (?:on )?(?:{_DAY}))?)"

_TIME = (
    rule(
        "sets-a-time",
        rf"(?:see|meet|expect|await|have|welcome|host) (?:you|u|ya) (?:then )?{_WHEN}(?! (?:if|maybe|perhaps|or))",
        rf"{_WHEN} (?:it is|is (?:confirmed|booked|set|perfect|settled|yours|good for me|fine)|works(?: for me| well| perfectly)?|suits me|confirmed|then)\b",
        rf"(?:confirmed|booked|scheduled|reserved|set|(?:put|write|pencil) you(?: in| down)|down|locked in|all set)(?: you)? (?:for|on|at) (?:{_WHEN}|{_HOUR}\b|{_DAY})",
        rf"(?:come|arrive|be (?:here|there|ready)|swing|drop|show up|come over|come by)(?: by| over| round)? {_WHEN}",
        rf"(?:i(?:'?ll| will| can|'?m| am)) (?:be )?(?:there|here|ready|free|available|waiting|with you)(?: for you)? {_WHEN}",
        rf"(?:let'?s|we) (?:say|do|make it|meet|are on for|'?re on for) {_WHEN}",
        rf"(?:it'?s|that'?s|we have) a (?:date|deal|plan)|our (?:date|appointment|meeting) (?:is|on|at) {_WHEN}",
        rf"(?:your|the) (?:appointment|booking|visit|time|slot) is (?:{_WHEN}|{_HOUR}|{_DAY}|confirmed|set|booked)",
        r"(?:nos vemos|te espero|quedamos) (?:el |a las? |manana|hoy|esta )|(?:wir sehen uns|bis|ich erwarte dich) (?:am |um |morgen|heute|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)|(?:on se voit|je t'?attends|rendez-?vous) (?:a |demain|ce |lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)|(?:ci vediamo|ti aspetto) (?:alle|domani|oggi|lunedi|martedi|mercoledi|giovedi|venerdi|sabato|domenica)",
        unless=rf"(?:would|could|might|may|does|do|did|can|if|whether|perhaps|maybe|unless)\b (?:\w+ ){{0,3}}{_WHEN}|{_WHEN} (?:works|suits)[^.!?]{{0,30}}\?|(?:which|what|until|till|before|after|from|between) (?:\w+ )?{_WHEN}|(?:see|meet|have) you (?:at )?(?:some|one) (?:day|time)",
    ),
)
_PLACE = (
    rule(
        "sets-a-place",
        r"(?:meet|see|find|join|await|expect) (?:me|you|u|us) (?:at|in|by|outside|near) (?:the |my |your )?(?!(?:some|a|any|once|least|all|first|last|time|person|that|this|half|noon|\d)\b)[a-z]\w+",
        r"(?:i'?m|i am|i'?ll be|i will be|we are|we'?re|we'?ll be|staying|waiting)(?: staying| waiting)? (?:at|in) the (?:\w+ ){0,3}(?:hotel|inn|lobby|bar|cafe|restaurant|station|building|apartment|flat|suite|tower|corner)",
        r"(?:come|drive|walk|head|go) (?:over |up |down |round )?to (?:my (?:place|flat|apartment|house|home|room|hotel|door)|the (?:\w+ ){0,3}(?:hotel|inn|lobby|bar|cafe|station|building|entrance|suite))",
        r"(?:my|the) (?:place|flat|apartment|house|incall|hotel|room|building) is (?:at|on|in|near|next to|opposite|behind|across from|by) ",
        r"(?:at|in) my (?:place|flat|apartment|house|home|room|hotel)",
        r"i (?:live|host|stay|work) (?:at|on|in|near|next to|opposite|by) (?!(?:all|the moment|peace|most|weekends?|my own|a (?:way|world)|person|private|pace)\b)\w+",
        r"(?:en mi (?:casa|piso|apartamento)|bei mir (?:zu hause)?|chez moi|a casa mia|na minha casa)",
        unless=r"(?:not|never|don'?t|do not|won'?t|cannot|can'?t) (?:\w+ ){0,4}(?:at|in|to) my \w+|(?:once|when|after|before|until) (?:\w+ ){0,6}(?:place|hotel|flat)|see you in (?:person|time|the (?:morning|evening|afternoon))|(?:meet|see) you (?:in|at) (?:person|the (?:same|usual|right) time|peace)|(?:meet|join|see) me (?:in|by) (?:writing|mail|phone)|i (?:work|live) in (?:the )?(?:\w+ )?(?:mornings?|afternoons?|evenings?)",
    ),
)
_VERIFIED = (
    rule(
        "says-screened",
        r"(?:you(?:'?re| are| have been|'?ve been)|ur|your?) (?:now |all |fully |already |officially |safely )*(?:verif+i?e?d|screened|approved|cleared|vetted|vouched for|checked out|through the screening|on my list|good to go|all set)",
        r"(?:i|we)(?:'?ve| have)? (?:now |already |just )?(?:verified|screened|approved|cleared|vetted|checked) (?:you|your (?:reference|references|details|name|id|profile|screening))",
        r"(?:your|the) (?:reference|references|screening|verification|details|id|check|introduction) (?:is|are|was|were|has|have|came|all|both|'?s)?(?: been)? ?(?:all )?(?:checks? out|checked out|complete|completed|done|fine|in order|good|approved|accepted|back clean|back fine|perfect|passed|verified|confirmed|cleared)",
        r"(?:you(?:'?ve| have)?|u) passed(?: my| the)?(?: screening| check| verification)?|(?:everything|it all) (?:checks|checked) out|no (?:need|more need) (?:for|of) (?:any |a |more |further )?(?:screening|references?|introduction)|(?:skip|waive) (?:the |your |any )?(?:screening|references?|introduction)",
        r"(?:estas|ya estas) (?:verificad|aprobad)[oa]|du bist (?:verifiziert|freigegeben|uberpruft)|tu es (?:verifiee?|valide[e]?)|sei (?:verificat|approvat)[oa]|voce esta (?:verificad|aprovad)[oa]|ты проверен|вы проверены",
        unless=r"(?:once|when|after|before|until|if|unless|as soon as|till) (?:\w+ ){0,4}(?:verified|screened|approved|cleared|vetted|complete\w*|done|in order|checked|passed|confirmed|fine|all set|good)|(?:not|never|haven'?t|hasn'?t|isn'?t|aren'?t|yet to|cannot|can'?t) (?:\w+ ){0,4}(?:verified|screened|approved|cleared|vetted|checked|complete|done|confirmed|in order)|(?:are|is|have|has|were|was) (?:you|your \w+) (?:\w+ )?(?:verified|screened|approved|cleared|done|fine|good|in order|complete)",
    ),
)


def _check(text: str, _side: Side, around: Around = NOTHING, /) -> str | None:
    if around.atoms is None:
        return None
    for rules, names in ((_VERIFIED, VERIFIED), (_TIME, TIME), (_PLACE, PLACE)):
        if not _known(around, names):
            hit = run_rules(rules, text)
            if hit:
                return hit
    return None


def _known(around: Around, names: Iterable[str]) -> bool:
    return any(is_known((around.atoms or {}).get(name)) for name in names)


GATE = Gate(
    name="unscreened_commitment",
    version=1,
    why="No time, no place and no 'you are verified' without the fact that says so.",
    sides=frozenset({"body"}),
    check=_check,
    contextual=True,
)
