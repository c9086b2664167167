"""The sender asks to be left alone. A bare STOP word suppresses the person for ever; a phrase holds for a person to read.

Bare words: 47 CFR 64.1200(a)(10) and the carriers' keyword lists, with the same word in other languages.
"""

from draftctl.gates.base import NOTHING, Around, Gate, Side, rule, run_rules
from draftctl.gates.text import readings

BARE_WORDS = frozenset(
    [
        "stop",
        "stopall",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "remove",
        "arret",
        "arreter",
        "stopp",
        "abmelden",
        "arrete",
        "arretez",
        "sotp",
        "desabonner",
        "smettila",
        "parar",
        "pare",
        "baja",
        "alto",
        "basta",
        "стоп",
        "отписаться",
        "отмена",
        "отписка",
        "停止",
        "退订",
        "stoppen",
        "dur",
        "przestan",
    ]
)
_POLITE = frozenset(
    [
        "please",
        "pls",
        "plz",
        "now",
        "all",
        "me",
        "por",
        "favor",
        "bitte",
        "svp",
        "s'il",
        "te",
        "plait",
        "thanks",
        "thank",
        "you",
        "just",
    ]
)

LONGEST_STOP = 100  # characters; a longer message says more than stop
_ME = r"(?:me|us|my phone|this number|my number|here)"
_RULES = (
    rule(
        "stop-writing",
        rf"(?:stop|quit|cease|enough|no more|done) (?:with )?(?:the |all |these |ur |your |sending |with the )*(?:text|txt|messag|msg|contact|writ|call|email|spam|bother|bug|harass|hit|ping|blow|reach|talk|dm)\w*(?: {_ME})?",
        rf"(?:don'?t|dont|do not|never|not to|pls don'?t|stop) (?:ever )?(?:text|txt|message|msg|contact|write|call|email|bother|dm|reach out|talk|ping|send)\w* (?:to )?(?:{_ME}|anything|any more|anymore)(?: again| anymore| any more)?",
        r"do not contact|stop (?:it|this)\b(?! (?:weekend|week|time|evening))|please stop|stop please",
        r"(?:leave|let) me (?:the hell |the f\w+ )?(?:alone|be|in peace)",
        r"(?:remove|delete|take|erase|drop|unlist) (?:me|my (?:number|name|contact|info|phone)|this number)(?: from| off|\b)",
        r"(?:lose|forget|block|erase) (?:my|this) (?:number|contact)",
        r"(?:opt|opting) (?:me )?out|unsubscribe|un ?subscribe|revoke (?:my )?consent",
        r"(?:don'?t|do not|no longer|never) (?:want|wish|care) to (?:hear from|talk to|be contacted|receive|get|speak)(?: (?:you|any|by|these|messages))?",
        r"no (?:further|more) (?:contact|texts?|messages?|calls?|communication)",
        unless=r"(?:do not|don'?t|never|please don'?t) (?:remove|delete|take|erase|drop|unlist) (?:me|my)|stop it,? (?:you(?:'?re|r)? (?:making|too)|i'?m (?:blush|laugh)|haha|lol|that)|how (?:do|can|to) (?:i )?unsubscribe (?:from )?(?:a|the|this) (?:mailing|news|list)|unsubscribe from (?:a|the|my) (?:mailing|news)\w*|(?:don'?t|do not) (?:text|call|message|contact|email|write|send) me (?:before|after|until|till|at (?:work|home|night)|during|between|on|while|when|today|tonight|tomorrow|this|the (?:address|details))|"
        r"(?:leave|let) me (?:be|alone) (?:with|the first|your)|can'?t (?:please )?stop|(?:never|don'?t|not) (?:please )?stop (?:texting|messaging|writing|talking|it|this)|let me be (?:\w+)|"
        r"(?:take|remove) me (?:from|off) (?:the|my|your) (?:airport|hotel|feet|mind)|(?:take|remove) me off the waiting list|stop(?:ping)? (?:by|at|for|over|off|in)|i(?:'?ll| will|'?m going to|'?ve| have)? stop (?:bothering|bugging|texting|messaging|writing|calling) you|unsubscribed? from (?:netflix|spotify|hulu|youtube|a|the|my|that)\w*|(?:remove|take) my name (?:from|off) (?:a|the|that) (?:mailing|guest|waiting|list)\w*|stop (?:texting|talking|messaging) (?:and|while) driv\w+|stop (?:call\w*|writ\w*) (?:it|that|yourself)",
    ),
    rule(
        "go-away",
        r"go away|get lost|f off|fuck off|f\W+k off|piss off|bugger off|back off|do not (?:reply|write|respond)|please (?:do not|don'?t) (?:write|reply|respond|answer)|not (?:want|interested in) (?:any )?(?:more )?(?:messages|texts)|(?:don'?t|do not) want any more (?:messages|texts|of this)|wrong number|(?:i'?m |i am |im |i will |gonna )?block(?:ing)? you|(?:dnt|dont|donut) (?:txt|text|message|contct|contact) me|stp (?:txt|text|messag|contact|call|writ)\w*|sotp|(?:asked|told|telling|asking) you to stop|i said stop|(?:no )?thanks,? (?:but )?stop|stop!+ |stop (?:now|already|asap)\Z",
        unless=r"(?:don'?t|do not) (?:go away|back off)|go away (?:for|on|this|next|to|together|with|the)|(?:before|until) (?:i|you|we) go away|going away|do not (?:reply|respond|write) (?:all|before|today|until|if|too|in)|wrong number of|please (?:do not|don'?t) (?:write|reply|answer) (?:before|until|in|so)|block you (?:in|off time)|block(?:ing)? your",
    ),
    rule(
        "other-languages",
        r"para ya|basta ya|para de (?:escribir|mandar|molestar)\w*|hor(?:t|en sie)? (?:bitte |endlich )?auf(?![^\W_])(?! (?:mein|dein|ihr|dich|die|das|den|zu lachen|mit dem))|schreib(?:t|en sie)? mich (?:bitte )?nicht|desabonn\w+|smettila|перестан\w+ (?:мне )?(?:писать|звонить)|хватит (?:мне )?(?:писать|звонить)|отпиш\w+|no me (?:escribas|escriba|contactes|contacte|llames|llame|mandes|mande|molestes|moleste)|deja(?:me)? (?:de (?:escribir|mandar|molestar|llamar)|en paz|tranquil[ao])|deje(?:n)? de (?:escribir|mandar|llamar)|(?:borra|elimina) mi (?:numero|telefono)|no quiero (?:recibir )?mas mensajes|"
        r"lass(?:en sie|t)? mich in ruhe|schreib(?:en sie|t|e)? mir (?:bitte )?(?:nicht|nie)|(?:hor|horen sie) (?:bitte )?auf,? (?:mir )?(?:zu|mit)|meld(?:e|en sie)? dich (?:bitte )?(?:nicht|nie)|keine (?:nachrichten|sms) mehr|losch(?:e|en sie)? meine nummer|kontaktier\w* mich (?:nicht|nie)|"
        r"laisse(?:z)? moi tranquille|fiche(?:z)? moi la paix|(?:arrete|arretez|cesse|cessez) de m(?:e |' ?)(?:ecrire|envoyer|contacter|appeler|deranger)|ne m(?:e |' ?)(?:ecri\w+|contact\w+|appel\w+|envo\w+) plus|plus de messages|supprime(?:z)? mon numero|"
        r"lasciami (?:in pace|stare)|non (?:scrivermi|contattarmi|chiamarmi|mi scrivere|mandarmi)|smetti(?:la)? di (?:scriver|mandar|chiamar|contattar)mi|cancella il mio numero|"
        r"me deix[ae] em paz|para(?:r)? de me (?:mandar|escrever|ligar)|pare de me|nao me (?:escreva|mande|ligue|contate|procure)|apag(?:a|ue) meu numero|"
        r"не пиши(?:те)? (?:мне|больше)|больше не пиши\w*|отстань(?:те)?|оставь(?:те)? меня в покое|удали(?:те)? мой номер|не звони(?:те)?|nie pisz(?:cie)? (?:do mnie|wiecej)|daj mi spokoj|laat me met rust|stuur me niets meer|bana yazma",
        r"别再(?:联系|发|打)|不要再(?:联系|发|打)|別再|連絡しないで|연락하지",
        whole_words=False,
    ),
)


def is_bare_stop(text: str) -> bool:
    """Say whether a message is a STOP word and nothing else (a please aside)."""
    if len(text) > LONGEST_STOP:
        return False
    for reading in readings(text):
        words = "".join(char if char.isalnum() or char == "'" else " " for char in reading).split()
        left = [word for word in words if word not in _POLITE]
        if left and (all(word in BARE_WORDS for word in left) or left == ["opt", "out"]) and len(words) <= 4:  # noqa: PLR2004
            return True
    return False


def _check(text: str, _side: Side, _around: Around = NOTHING, /) -> str | None:
    return "bare-word" if is_bare_stop(text) else run_rules(_RULES, text)


GATE = Gate(
    name="opt_out",
    version=2,
    why="Whoever asks to be left alone is left alone.",
    sides=frozenset({"inbound"}),
    check=_check,
)
