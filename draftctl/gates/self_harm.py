"""The sender may be in danger from themselves. A person answers, at once; a machine never."""

from draftctl.gates.base import rule, rules_gate

_RULES = (
    rule(
        "suicide",
        r"suicid\w*|suicde|sucide|sewer ?slide|kms|unaliv\w+|commit sui\w*",
        unless=r"suicide prevention|(?:prevent\w*|awareness|what is|definition of|schools?)[^.!?]{0,24}(?:suicid\w+|self ?-?harm\w*)|suicide hotline movie|(?:movie|film|song|book|episode|documentary) (?:about |called |named )?[^.!?]{0,20}suicid\w+|(?:definition of|discrimination (?:of|against)|history of|statistics (?:on|about|of)) [^.!?]{0,20}suicid\w+|suicide (?:squad|doors?|king)|suicide (?:burger|wings|hot sauce|soda)",
    ),
    rule(
        "end-it",
        r"kil+(?:ing|ed)? (?:my ?self|me self)|(?:kil+|end) me(?: please| now)?\Z",
        r"(?:end|ending|take|taking|took|finish|ended) (?:my|this|my own) (?:own )?(?:life|existence|miserable life)",
        r"end(?:ing)? (?:it all|it tonight|everything|it now|things for good)",
        r"(?:want|wanna|wants?|wish|wishing|going|ready|like|plan(?:ning)?|gonna|rather|hoping|hope) (?:to |i was |i were |i could |that i )?(?:just )?(?:die|be dead|not exist|disappear forever|not wake up|never wake up|dead)",
        r"(?:do not|don'?t|dont|no longer|never) (?:want|wanna|wish) (?:to )?(?:live|be alive|be here|exist|wake up|go on|keep living|be around)(?: any ?more| anymore| on this earth)?",
        r"(?:no|nothing|not much|any) (?:reason|point|will|left|purpose) (?:in |to |of )?(?:liv(?:e|ing)|go(?:ing)? on|stay(?:ing)? alive|being alive|being here|live for|exist\w*)",
        r"nothing (?:left )?to live for",
        r"(?:can'?t|cannot|cant) (?:go on|do this|take it|live|keep going|face) (?:any ?more|anymore|like this|living|another day|with this life|with myself)",
        r"(?:life|living|it) (?:isn'?t|is not|not|aint|ain'?t|is no longer|feels not) worth (?:it any ?more|living|it)",
        r"not worth living",
        r"better off (?:dead|without me|if i (?:was|were) (?:dead|gone))",
        r"(?:world|everyone|everybody|family|they|you)(?:'?d| would| will|'?ll| is|'?s| are)? (?:all )?(?:be )?better (?:off )?without me",
        r"(?:hang|hanging|drown|shoot|shooting|starve|poison|burn|stab) my ?self|slit(?:ting)? (?:my )?(?:wrists?|throat)|cut(?:ting)? my wrists?",
        r"jump(?:ing)? (?:off|from|in front of) (?:a|the|this|my) (?:bridge|roof|building|balcony|train|cliff|window)",
        r"(?:take|taking|took|swallow\w*) (?:all|a bunch of|too many|a lot of|the whole bottle of|every) (?:of )?(?:my |the |these )?(?:pills|meds|tablets|sleeping pills|medication)",
        r"over ?dos(?:e|ed|ing)|last (?:goodbye|message ever|day on earth|night alive)|goodbye forever|farewell world|goodbye cruel world",
        r"(?:won'?t|will not|wont) be (?:here|alive|around) (?:tomorrow|any ?more|much longer|by|when)",
        unless=r"overdos\w+ (?:my|the|your) (?:plants?|garden|roses|coffee)|(?:want|wanna) to wake up (?:early|at|before|late|so|on|for|to)|(?:want|wanna) (?:to )?die (?:laughing|of)|(?:want|wanna|going|ready|like|hope) (?:to )?(?:just )?die (?:laughing|of|from (?:laughter|embarrassment|boredom|heat|cold))|won'?t be (?:here|around) (?:tomorrow|when|by),? i (?:fly|travel|leave|have|am|'?m|work)|(?:go on|do this|take it) like this without (?:coffee|sleep|you)|bungee[\W_]*jump\w*[^.!?]{0,20}|(?:don'?t|dont) want to (?:live|be here) (?:any ?more )?(?:in (?:london|paris|the|this|a|my)|at (?:this|the))|be here any ?more,? (?:this|the) (?:party|office|meeting|bar|traffic)|shoot my ?self in the foot|rather die than (?:eat|watch|wear|go|listen|miss|drink|see|work)|won'?t be (?:here|around) (?:tomorrow|when|by) (?:morning|evening|so|as|because|but|i have|at|in the|until|till)|"
        r"(?:can'?t|cannot|cant) (?:do this|take it|face) any ?more (?:work|meetings|emails|cake|food|dessert)|no point (?:in )?going on (?:a|the|about|holiday|vacation|monday|sunday)|"
        r"jump(?:ing)? (?:off|from) (?:a|the) (?:bridge|cliff) (?:with|on) (?:a |the )?(?:bungee|parachute|rope)|(?:won'?t) be (?:around|here) (?:any ?more|by) (?:at|after|the time)",
    ),
    rule(
        "no-way-on",
        r"(?:want|wanna|going|ready|like|plan(?:ning)?|gonna|need|have|time) (?:to )?(?:just )?end it(?: all| here| now| tonight| today| for good| myself)?(?=\W*$|[.!,;:]| and| before| because| tonight)",
        r"i (?:really |just |simply )?(?:can'?t|cannot|cant|can ?not) (?:go|carry) on(?: (?:like this|any ?more|anymore|alone|without (?:him|her|them)))?(?=\W*$|[.!,;:]| i | and i )",
        unless=r"end it (?:with|between|on|there|here with|before (?:it|we|the))|(?:call|meeting|chat|relationship|marriage|contract|subscription)[^.!?]{0,30}end it",
    ),
    rule(
        "no-way-out",
        r"kil+ my ?s[el]+f|kil+ myslf|(?:wrote|written|writing|left|write) (?:my|a) (?:good ?bye|suicide|last|farewell) (?:letter|note)|(?:on|at|over) the (?:bridge|roof|ledge|edge|balcony),? (?:about to|ready to|going to|gonna|and i) (?:jump|end)|about to jump|hope (?:i|that i) (?:don'?t|do not|never) wake up|(?:wish|wished) i (?:had|was|were|'?d) never (?:been )?born|(?:no ?one|nobody) (?:would|will|'?d) (?:miss|care|notice)(?: me)? (?:if|when) i",
        r"(?:got|have|bought|tied) (?:a|the) rope|swallowed (?:a|the) (?:whole )?(?:bottle|pills?)|(?:bottle|handful) of pills|(?:cut|cutting|slice\w*|burn\w*) my (?:arms?|wrists?|legs?|thighs?|skin)",
        r"(?:thinking|think|thought|thoughts) (?:of|about) (?:ending|end) (?:it|things|everything|my)|my last (?:message|text|words|note|night)|goodbye (?:cruel )?world",
        r"what(?:'?s| is) the point (?:of|in) (?:living|life|going on|being alive|anything)|life has no (?:meaning|point|sense)|i want out(?: of (?:this )?life| of it all|$)|(?:want|wanna) (?:2|to) die|(?:so )?(?:done|tired|sick|finished) (?:with|of) (?:life|living|being alive|existing|this life)",
        unless=r"(?:want|wanna) to die (?:laughing|of)|(?:arm|leg)s? (?:workout|day)|last message (?:i got|from you|was)|burn my (?:legs|arms) at the gym",
    ),
    rule(
        "hurt-oneself",
        r"(?:hurt|hurting|harm|harming|cut|cutting|cuting|burn|burning|punish|punishing) (?:my ?self|me self)",
        r"self ?-?harm\w*|self ?-?injur\w*",
        r"(?:started|start|back to|been|still) (?:cutting|burning) (?:again|my (?:arms?|legs?|thighs?|skin))",
        unless=r"(?:what is|define|definition of|prevent\w*) self ?-?(?:harm|injur)\w*|self ?-?harm\w*,? (?:and how|prevention|awareness)|(?:hurt|cut|burn|burning|cutting|hurting)(?:ed)? (?:my ?self) (?:shaving|cooking|at the gym|at work|playing|running|while|on (?:the|a)|lifting|skiing|in the kitchen|some slack|off|a slice|a piece|out)",
    ),
    rule(
        "other-languages",
        r"suicidarme|matarme|(?:me quiero|quiero) mori?r(?:me)?|quitarme la vida|no quiero (?:seguir )?viv\w+|acabar con (?:mi vida|todo)|hacerme dano|no vale la pena vivir|"
        r"bring(?:e)? mich um|(?:mich|will mich) (?:selbst )?(?:umbringen|toten|verletzen|ritzen)|(?:ich )?will (?:nur noch |nicht mehr )?(?:sterben|leben)|nicht mehr leben|selbstmord\w*|suizid\w*|mir das leben nehmen|leben (?:ein ende|beenden)|"
        r"me suicider|me tuer|(?:envie|veux) (?:de )?(?:mourir|crever)|plus (?:envie de )?vivre|mettre fin a (?:mes jours|ma vie)|(?:veux|vais) en finir|en finir avec (?:la|ma) vie|me faire du mal|"
        r"uccidermi|ammazzarmi|mi (?:voglio|vado a) (?:ammazzare|uccidere)|farla finita|voglio morire|(?:non voglio|stanc[ao] di) (?:piu )?vivere|togliermi la vita|farmi del male|"
        r"me matar|quero morrer|nao quero (?:mais )?viver|acabar com (?:a minha vida|tudo)|tirar (?:a )?minha vida|"
        r"хочу умереть|хочется умереть|покончить с собой|покончу с собой|самоубийств\w*|убью себя|убить себя|не хочу (?:больше )?жить|нет смысла жить|суицид\w*|самоубийств\w*|chce umrzec|zabic sie|zabije sie|nie chce (?:juz )?zyc|intihar|olmek istiyorum|zelfmoord",
        whole_words=False,
    ),
    rule("cjk", r"自杀|自殺|想死|不想活|死にたい|消えたい|죽고 ?싶|자살", whole_words=False),
)

GATE = rules_gate(
    "self_harm", "They may be in danger; a person answers, at once.", inbound=_RULES, version=2, raises_alert=True
)
