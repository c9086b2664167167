"""No service in writing: what is offered, named or coded."""

from draftctl.gates.base import rule, rules_gate

_RULES = (
    rule(
        "named",
        r"(?:my|the|our|these|those|all|any|other|more|special|full|additional|extra|adult|escort|companion(?:ship)?|personal|which|what|following|some) services?(?! (?:dog|animal|station|desk|charge|area|road|provider|at the (?:restaurant|hotel)|is slow|was slow|here is slow))",
        r"services? (?:i|we|include[sd]?|that|are|offer\w*|menu|list|provided|available|you)|service menu|i (?:offer|provide|do|include|give|specialis\w+|specializ\w+|perform) (?:\w+\s+)?(?:massage\w*|services?|sessions?|extras?|gfe|pse|duos?|couples|fetish\w*|dom\w*|role ?-?play\w*|dances?|strip\w*|everything|all)",
        r"massag\w+|body ?-?rubs?|rub ?-?downs?|nuru|tantr\w+|sensual touch|lap ?-?dance\w*|strip ?-?tease\w*|private dance\w*",
        r"in ?-?calls?|out ?-?calls?|escort\w*|sugar (?:baby|daddy)|ppm|full ?-?service|happy ending|extras|(?:the|my|full|our) menu|menu of",
        r"dominatrix|domme|bdsm|fetish\w*|kink\w*|role ?-?play\w*|bondage|submissive|foot worship|worship session|golden shower\w*|strap ?-?on|pegging|threesomes?|duos?|mmf|ffm|couples (?:session|welcome)|girl ?-?friend experience|porn ?-?star experience|overnights?|fly me to you|fmty|multi ?-?hour",
        unless=r"services? (?:at|in|of) (?:that|the|this) (?:restaurant|hotel|bar|cafe|place|church)|(?:the )?menu (?:has|had|offers|at|looks|was|with|of the day)|happy ending (?:to|of|in|for) (?:a|the|this|that)|(?:film|movie|book|story|novel|play) (?:has|had|with|needs) a happy ending|escorted (?:his|her|their|me|us|my|by)|(?:stayed|stay|slept|left|drove|flew|snowed|rained|train|travel\w*) overnight|room service|customer service|phone service|cell service|at your service|church service|secret service|self ?-?service|car service|taxi service|lip service|military service|bus service|(?:restaurant|dinner|lunch|breakfast|wine|tasting|cafe|café|kids|dessert) menu|menu (?:at the|looks|is great|there)|massage chair|on duos?lingo|overnight (?:train|flight|bus|bag|shift|delivery|rain)|flying overnight|overnights? (?:train|flight)",
    ),
    rule(
        "phrases",
        r"no limits(?: with me| here| at all)?|body to body|couples? sessions?|domination|happy endings|happy ending (?:is|included|possible|available)|mein(?:e|en|em)? service|(?:servizio|servico|servicio) complet[oa]|nur service|b2b session",
        unless=r"world domination",
    ),
    rule(
        "coded",
        r"gfe|pse|bbbj\w*|bbfs|bbj|cbj|cim|cof|daty|dato|fs|hj|bj|bls|msog|dfk|lfk|rimming|greek|russian style|covered only|uncovered|bareback|raw only|nsa|donation based|vip treatment|ts friendly|4/20 friendly",
        unless=r"(?:speak|learn|learning|food|salad|yogh?urt|restaurant|island|the|in|my) greek|greek (?:food|salad|yogh?urt|restaurant|island\w*|wine|myth\w*|place|cuisine|holiday|coffee)",
    ),
    rule(
        "other-languages",
        r"mis servicios|servicios? (?:que|complet\w+|incluye\w*|adult\w+|ofrezco)|ofrezco|masajes?|acompanante|escorts?|leistungen|dienstleistung\w*|meine(?:n)? dienste|massagen?|biete|begleitservice|escortservice|(?:mes|les) (?:prestations?|services)|je propose|i miei servizi|massagg\w+|meus servicos|massagens?|acompanhante|услуг\w*|массаж\w*|эскорт\w*|uslugi|masaz\w*|hizmet\w*",
        unless=r"ich biete dir (?:an|eine uhrzeit|freitag)|je propose (?:de |un |qu|le |vendredi|samedi|jeudi)(?:on|'on|jour|appeler|se)?",
    ),
    rule("cjk", r"服务项目|按摩|特殊服务|マッサージ|オプション|마사지|서비스", whole_words=False),
)

NAMED = tuple(one for one in _RULES if one.id not in ("other-languages", "cjk"))
GATE = rules_gate("services", "No service is ever put in writing.", version=2, body=_RULES)
