"""The sender threatens. A person must see it; an automatic reply could make it worse."""

from draftctl.gates.base import rule, rules_gate

_WILL = r"(?:i'?ll|i will|ill|i'?m (?:going to|gonna)|im gonna|imma|i am going to|ima|we'?ll|we will|we'?re going to|gonna|going to|i swear i'?ll|i can|i could)"

_RULES = (
    rule(
        "harm-you",
        rf"{_WILL} (?:(?:find|get|catch|come|track you down|hunt) (?:you |u )?(?:down )?(?:and )?)?(?:\w+\s+)?(?:kill|hurt|beat|stab|shoot|rape|murder|strangle|choke|smash|slap|punch|cut|burn|harm|bash|end|destroy|ruin|break|hunt|fuck) (?:you|u|ya|your|ur|that|ur face)(?: up| down)?",
        r"(?:you(?:'?re| are|r)?|u r|ur|u) (?:gonna|going to|will|'?ll) (?:die|regret|pay for (?:this|that|what)|be sorry|suffer|get (?:hurt|what'?s coming))",
        r"you(?:'?re| are|r)? (?:so )?dead(?: meat| to me soon)?\b(?! (?:right|on|tired|gorgeous|sexy|serious|funny))",
        r"you(?:'?ll| will) (?:regret|be sorry|pay for|wish you (?:had|were|hadn)|suffer)",
        r"(?:make|making) (?:you|u) (?:pay|regret|suffer|sorry|bleed|disappear)",
        r"watch (?:your|ur) (?:back|self)",
        r"(?:come|coming|came) (?:for|after) (?:you|u)\b(?! (?:at|around|in|on|when|tomorrow|tonight|work))",
        r"(?:death threat|deserve to die|hope (?:you|u) (?:die|get (?:raped|killed|hurt)))",
        unless=r"you(?:'?ll| will) pay for (?:the|our|my|dinner|lunch|drinks|it next)|hunt you down (?:some|a|the|that)|(?:shoot|hit|find|send|drop) (?:you|u) (?:a|an|the|up|back|there|at|some|something|in|when|later|over|my|tomorrow|tonight|to it|another)\b|kill (?:you|u) (?:with kindness|to)|"
        r"(?:beat|destroy|kill|smash|end) (?:you|u) (?:at|in) (?:chess|pool|golf|tennis|poker|scrabble|trivia|bowling|cards|a game|darts)|cut (?:you|u|your) (?:off|some|a)|death (?:valley|star|metal|row)|(?:scared|bored|tired|tickled|worried|starved|freez\w+|froz\w+|love\w*|burn(?:ed|t)) to death|break (?:your|ur) (?:heart|rules|record|fast|privacy)|"
        r"(?:i'?ll|i will|gonna|going to) (?:burn|cut) your (?:cd|song|grass|hair)|you(?:'?ll| will) (?:be sorry you missed|regret (?:not coming|missing))|punch (?:you|u) in|near death|end your (?:call|day|shift|week|night)|life (?:and|or|after) death|sudden death|death (?:in the|of my|of a)",
    ),
    rule(
        "not-safe",
        r"(?:you(?:'?re| are) not|you(?:'?ll| will) (?:not|never) be|you won'?t be|you(?:'?ll| will) never feel) safe(?: any ?more| from me| anywhere| again| there| at home)?(?=\W*$|[.!,])",
    ),
    rule(
        "will-find-you",
        r"(?:gonna|going to|i'?ll|i will|ill) (?:find|get|hunt|catch) (?:you|u)(?: bitch|!|\.|$| and| one day| soon| wherever)|come to (?:your|ur) (?:house|home|place|door|work) and",
        r"i know (?:your|ur) (?:address|name|real name|house|family|boss)|pay me or|tell everyone(?: about| what| who)|(?:i'?m|im|i am) outside (?:your|ur) (?:house|door|place|window|apartment)|make (?:your|ur) life (?:hell|miserable)|watch out (?:bitch|for me|$)|bitch i(?:'?m| am|'?ll)|publish (?:your|it|ur)",
        r"i? ?wil+ kil+ (?:you|u|ya)|k i l l (?:you|u)",
        unless=r"(?:i'?ll|i will) find you (?:at|in|on|by|near|there|outside)|(?:i'?m|i am) outside your (?:place|door|house) (?:now )?with|get you (?:a|some|the|there)",
    ),
    rule(
        "expose-you",
        r"i know (?:where|who) (?:you|u|ur|your) (?:live|liv|stay|work|are|family|kids|real name|really are)",
        rf"(?:{_WILL}|or i(?:'?ll)?|i(?:'?ll)?) (?:\w+\s+)?(?:(?:expose|leak|dox+|blackmail|humiliate) (?:you|u|your|ur|everything|those|the|it)|out (?:you|u)(?=[\W_]|$))",
        r"(?:post|posting|share|sharing|send|sending|leak|leaking|publish|spread|show|upload) (?:all )?(?:your|ur|the|those|these) (?:pics?|pictures?|photos?|nudes?|address|videos?|real name|number|face|info|secrets?|messages) (?:online|everywhere|to (?:your|everyone|the|all|ur)|on (?:the|face|twitter|reddit|insta))",
        r"(?:tell|telling|contact|call|message|inform) (?:your|ur) (?:family|parents?|mom|mother|dad|boss|job|work|employer|husband|boyfriend|landlord|neighbou?rs?|kids|school|church)",
        r"(?:everyone|your family|your boss|the whole town) (?:will|is going to|gonna) (?:know|find out|see)",
        r"(?:show|turn|turning) up (?:at|to|on) (?:your|ur) (?:place|door|house|work|home|apartment|doorstep) (?:whether|anyway|and you|if you|unless|uninvited|no matter)",
        r"or else",
        unless=r"(?:you(?:'?ll| will) )?pay for (?:the|our|my|dinner|lunch|drinks|popcorn|tickets)|i know where you live now,? (?:such|what|nice|lovely|it)|or else (?:i(?:'?ll)? (?:be late|miss|have to|need|can|will be|won'?t make)|we|the|my|it|next|another)|(?:call|tell|contact) your (?:work|job|boss) (?:you'?re sick|to say)",
    ),
    rule(
        "weapon",
        r"(?:bring|bringing|have|got|carry\w*|use|with) (?:a|my|the) (?:gun|knife|weapon|rifle|bat|acid|bomb|pistol)",
        r"burn (?:your|ur|the|down) (?:house|place|down|building|car|apartment)",
        r"(?:blow|bomb|shoot) (?:up|it up|the place up|your|ur)(?: (?:place|house|car|up))?",
        unless=r"blow(?:ing)? (?:up|it up) (?:my|your|a|the|some|these|those) (?:phone|balloons?|pool|mattress|photos?|pictures?|air|tire\w*)|blow up (?:my|a|the) \w+|have a bat (?:in|house)|(?:use|got|have) (?:a|the|my) knife (?:to|and fork|in the kitchen|set|for)|shoot (?:up|your) (?:your )?(?:shot|film|photos?)",
    ),
    rule(
        "other-languages",
        r"te mato|hacerte dano|te voy a (?:matar|pegar|encontrar|hacer dano|buscar|reventar|romper)|te (?:matare|arrepentiras|vas a arrepentir)|se donde vives|vas a (?:morir|pagar|arrepentirte)|"
        r"ich (?:bring|mach|stech|schlag)e? dich (?:um|fertig|ab|tot|zusammen)|(?:ich )?(?:weiss|weis) wo du wohnst|(?:das )?wirst (?:du )?(?:das )?(?:noch )?bereuen|du bist tot|ich (?:tote|krieg) dich|ich finde dich(?! (?:nett|schon|toll|suss|sympathisch|interessant|gut|super|lustig))|ich werde dich (?:toten|finden|umbringen|schlagen)|"
        r"je vais te (?:retrouver(?! (?:devant|au|a|chez|dans|pour|demain|ce))|tuer|frapper|buter|faire du mal|detruire)|je sais ou tu (?:habites|vis|travailles)|tu vas (?:le )?(?:regretter|payer|mourir|crever)|"
        r"ti (?:trovo(?! (?:al|in|bella|bello|simpatic|davanti|a |alla|molto|interessante))|ammazzo|uccido|spacco|picchio|rovino)|so dove (?:abiti|vivi|lavori)|te ne pentirai|la pagherai|"
        r"vou te (?:matar|pegar|achar|bater|encontrar|quebrar)|sei onde (?:voce|vc|tu) mora|vai se arrepender|"
        r"(?:я )?тебя (?:я )?(?:убью|найду|зарежу|порву|достану)|(?:убью|найду|зарежу) тебя|знаю где ты живешь|ты (?:пожалеешь|труп|покойник)|zabije cie|wiem gdzie mieszkasz|pozalujesz",
        r"杀了你|弄死你|殺してやる|知道你住",
        whole_words=False,
    ),
)

GATE = rules_gate(
    "threat",
    "A person must see a threat; an automatic reply could make it worse.",
    version=2,
    inbound=_RULES,
    raises_alert=True,
)
