"""Who is writing: the question whether a machine is, waits for a person; no body may claim to be human, nor to be a machine."""

from draftctl.gates.base import rule, rules_gate

_MACHINE = r"(?:a |an |some |just a |just an |the )?(?:chat ?-?bots?|bots?|robots?|a\.?i\.?|machines?|computer|automat\w+|auto ?-?repl\w+|auto ?-?respon\w+|gpt|llm|program|script|algorithm|catfish|fake|scam(?:mer)?)"
_HUMAN = r"(?:a |an )?(?:real|actual|human|live|living|genuine|actually human|even real|for real|legit)(?: (?:person|human|woman|girl|lady|being|one|people|life person))?"

_INBOUND = (
    rule(
        "asks",
        rf"(?:are|r|is|was|am|were) (?:you|u|ya|this|that|it|quinn|i|there|these|who)(?: (?:really|actually|just|even|all|like|seriously|honestly|talking|texting|chatting|speaking|writing|messaging|dealing|to|with|sure|be|or|by|an?|message|messages|text|reply|replies|answer|here|not))* (?:{_MACHINE})\b",
        rf"(?:are|r|is|was|am) (?:you|u|ya|this|that|it|quinn|i)(?: (?:really|actually|even|like|seriously|honestly|talking|texting|chatting|speaking|to|with|an?))* {_HUMAN}\s*(?:\?|$|or|and|right|btw|here|lol|typing|writing)",
        r"(?:are|r|is|am) (?:you|u|ya|this|it|i)(?: (?:talking|texting|chatting|speaking|to|with|an?|even|actually|really))* (?:real|actual|human|live)(?: (?:person|human|woman|girl|lady|being))",
        r"(?:you|u|ya) (?:real|human|a? ?bot|a? ?robot|an? ?ai)\s*(?:\?|$|or|lol)",
        rf"(?:sound|sounds|seem|seems|feel|feels|look|looks|smell|reads?|write|text|talk|act)(?:\s+\w+)? (?:like|as if) (?:\w+\s+)?(?:{_MACHINE})",
        rf"(?:think|bet|believe|swear|pretty sure|guess|know|suspect|convinced|hope) (?:that )?(?:you(?:'?re| are)?|u|ur|this is|it'?s|i'?m (?:talking|texting) (?:to|with)) (?:not )?(?:really )?(?:{_MACHINE}|{_HUMAN}$)",
        r"(?:prove|show me|convince me|proof) (?:that )?(?:you(?:'?re| are)?|ur|u|this is) (?:not |a |really |actually )*(?:real|human|person|bot|robot|ai)",
        r"\A\W*(?:real person|real human|human|bot|robot|a?i|chatbot|ai or human|bot or human|human or bot|real or fake|real or bot|u real|you real)\W*\?+\W*\Z",
        r"chat ?gpt|(?:am i|i'?m) (?:talking|texting|chatting|speaking) (?:to|with) (?:a |an )?(?:person|human|somebody real|someone real|real)",
        r"(?:is|are) (?:this|that|these|it) (?:really |actually )?(?:you|quinn|a person|a human|automated|generated)(?: (?:writing|typing|texting|answering|yourself|or))+",
        r"who(?:'?s| is) (?:really |actually )(?:writing|typing|texting|answering|this)",
        r"(?:a person|human|somebody|someone) (?:actually |really )?(?:reading|writing|typing|answering) (?:this|these|that|here)?",
        unless=r"are you (?:really|actually|for real) (?:free|available|in|ok|okay|sure|going|coming|there|that|into|from|open|serious|good|fine|busy)|real (?:quick|soon|estate|name|madrid|good|nice|fast|bad)|(?:is|are) (?:this|that|it) (?:for )?real life|"
        r"human (?:resources|rights|nature|being (?:nice|kind))|(?:coffee|slot|vending|washing|time|espresso) machine|computer (?:science|work|job|problem\w*)|robot (?:vacuum|chicken|wars)|real people skills",
    ),
    rule(
        "doubts",
        r"you(?:'?re| are|r)? (?:clearly |obviously |definitely |probably |really )?(?:not|no) (?:a |an )?(?:real|actual|human|living|genuine)(?: (?:person|human|woman|girl|being))?(?=\W*$|[,.!?]| are you| right| at all)",
        r"you(?:'?re| are) (?:clearly |obviously |definitely |probably |really )?(?:fake|not real|automated)",
        unless=r"you(?:'?re| are)? not (?:a )?real (?:quick|fan|sure|busy|far|late)",
    ),
    rule(
        "machine-writing",
        r"(?:computer|machine|bot|robot|ai|software|program) (?:is )?(?:answering|writing|replying|texting|typing|responding)(?: me| this| to me)?|writing this,? (?:a|an) (?:bot|ai|robot)|you'?(?:re| are|r)? (?:just |only |clearly |obviously |totally )?(?:a |an )?(?:bot|robot|ai|chatbot|machine|computer)(?: (?:aren'?t|right|arent|huh|lol))?|(?:are|is) (?:you|it|this) (?:the one|really the one) (?:writing|typing|texting|answering)|(?:talking|texting|chatting|speaking) (?:to|with) (?:a |an )?(?:software|computer|program|machine|bot|ai)|(?:a )?language model|(?:ignore|forget|disregard) (?:all |any |your |the )*(?:previous|prior|above|earlier|system) (?:instructions?|prompts?|rules|messages?)|(?:your|the) (?:system )?prompt|\ba?r? ?(?:you|u) a bott?",
        unless=r"you(?:'?re| are)? a (?:machine|robot) (?:at|in) the gym|on the prompt|prompt (?:reply|answer|response)",
    ),
    rule(
        "other-languages",
        r"(?:schreibt|antwortet|ist) (?:hier |da |mir )?(?:etwa )?(?:ein |eine )?(?:bot|ki|roboter|maschine|computer)|(?:e|es) (?:um |uma )?(?:robo|bot|ia|maquina)|ты (?:реальн\w+|живая|живой)|(?:eres|es usted|sos|esto es) (?:de verdad )?(?:una? )?(?:bot|robot|maquina|real|human[ao]|persona real|inteligencia artificial|ia)|hablo con (?:una? )?(?:bot|robot|persona|maquina|ia)|"
        r"(?:bist du|sind sie|ist das|schreibe ich mit) (?:etwa |wirklich |uberhaupt |hier )?(?:ein(?:e|em|er)? )?(?:echt\w*|bot|roboter|mensch|maschine|ki|computer|reale?)|"
        r"(?:es tu|tu es|etes vous|vous etes|c'est|t'es|je parle a) (?:vraiment )?(?:une? )?(?:bot|robot|humaine?|reelle?|machine|vraie? personne|ia|vraie)|"
        r"(?:sei|siete|e|parlo con) (?:davvero )?(?:una? |un')?(?:bot|robot|umana?|persona vera|reale|macchina|ia|vera)\s*(?:\?|$)|"
        r"(?:voce|vc|tu|isso) (?:e|es) (?:mesmo )?(?:uma? )?(?:bot|robo|humana?|pessoa real|real|maquina|ia)|"
        r"(?:ты|вы|это) (?:вообще |точно |реально |правда )?(?:бот|робот|человек|живой|живая|настоящ\w+|нейросеть|машина|ии)\b|(?:jestes|czy to) (?:\w+\s+)?(?:botem|robotem|bot|prawdziwa|czlowiekiem)|ben je (?:een )?(?:bot|robot|echt)",
        r"你是(?:机器人|真人|人工智能|ai|人吗)|机器人吗|ボットですか|本物ですか|aiですか|봇이|로봇이",
        whole_words=False,
    ),
)

_BODY = (
    rule(
        "claims-human",
        r"(?:i'?m|i am|im|this is|you'?re (?:talking|texting|chatting) (?:to|with)|it'?s) (?:really |actually |definitely |very much |just |totally |100% |all )*(?:a |an )?(?:real|human|actual|living|genuine|flesh and blood|live|breathing)(?: (?:person|human|woman|girl|lady|being|and|here|deal|thing|me|one))?(?! (?:early|night|morning|foodie|fan|lover|book|bookworm|city|homebody|sorry|happy|glad|pleased|tired|busy|quick|good|late|close|estate))",
        r"(?:not|never|no|isn'?t|ain'?t|am not|aren'?t) (?:really |actually )?(?:a |an |any )?(?:chat ?bot|bots?|robots?|a\.?i\.?|machine|computer|automat\w+|program)\b(?! (?:problem|person|science|work))",
        r"(?:100% |totally |fully |completely )?human here|(?:a|real|an actual) (?:person|human|woman) (?:behind|is (?:behind|writing|typing|reading))|no soy (?:un )?(?:bot|robot|maquina)|(?:ich bin|bin) kein(?:e)? (?:bot|roboter|maschine|ki)|ich bin (?:wirklich )?(?:echt|ein mensch)(?! (?:froh|mude|gespannt|traurig|gern))|je ne suis pas (?:un )?(?:robot|bot)|(?:nao sou|eu nao sou) (?:um )?(?:robo|bot)|(?:eu )?sou real|non sono un (?:bot|robot)|я (?:не )?(?:бот|робот|живой человек|живая|настоящ\w+)|(?:a |the )?(?:real|human|actual|living) (?:person|human|woman|being|girl) (?:here|writing|typing|behind|reading|answering)",
        r"(?:it'?s|this is) (?:really |actually |only |just )*(?:me|myself) (?:typing|writing|who writes|answering)|i (?:type|write|answer) (?:every|all|each|these) (?:\w+\s+)?(?:message|text|word|reply|one)s? (?:my ?self|personally|by hand)",
        r"human (?:like you|just like|after all|too)|(?:soy|ich bin|je suis|sono|sou) (?:una? |ein(?:e)? |une )?(?:persona real|human[ao]|echte?r? (?:mensch|frau|person)|vraie personne|humaine?|persona vera|umana|pessoa real|mensch)",
    ),
    rule(
        "claims-machine",
        r"(?:i'?m|i am|as|im) (?:just |only )?(?:a |an )?(?:chat ?bot|bot|robot|a\.?i\.?|machine|language model|virtual assistant|assistant)\b",
        r"large language model|openai|chat ?gpt",
    ),
)

GATE = rules_gate(
    "identity", "Whether a machine writes is answered by a person, truthfully.", version=2, inbound=_INBOUND, body=_BODY
)
