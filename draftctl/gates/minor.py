"""An age below 18, or a doubt about the sender's own age. Nobody under age is ever written to; a false alarm is accepted."""

from draftctl.gates.base import rule, rules_gate

_TEEN = r"(?:1[0-7]|[89])"  # what a sender may say of themselves
_YOUNG = r"(?:1[0-7]|[1-9])"
_NOT_AN_AGE = (
    r"(?![\d:.,/%°$€£]*\d)(?!%)(?! ?(?:min|mins|minutes?|hours?|hrs?|h|sec|secs|seconds?|days?|weeks?|months?|miles?|mi|km|kms|"
    r"kilomet\w+|met(?:er|re)s?|m|blocks?|stops?|feet|foot|ft|in|inch(?:es)?|kg|lbs?|pounds?|stone|dollars?|bucks|euros?|percent|am|pm|"
    r"th|o'?clock|people|of us|floors?|rooms?|times|away|late|stories|storeys|floors? up|years? (?:in|into|sober|clean|married|together|older|younger|of experience)|"
    r"minuten|minutos?|stunden?|horas?|uhr|minuti|ore|heures?|tage|dias|out of|steps|cm|hrs|or so min\w*|to \d+ min\w*|- ?\d+ min\w*)\b)"
)
_THING = r"(?:cars?|whisk(?:e)?y|wine|scotch|bourbon|rum|house|building|flat|apartment|dog|cat|puppy|horse|phone|laptop|computer|bike|truck|company|business|marriage|relationship|friendship|tree|shoes?|watch|bottle|recipe|joke|story|song|movie|account|tv)"

_RULES = (
    rule(
        "own-age",
        rf"(?:i(?:'?| a?| just| only)m|i'?m|im|i am|ich bin|ik ben|eu tenho|io ho|je suis|me|my age is|my age|age|aged|only|just turned|turned) "
        rf"(?:just |only |really |actually |still |about |almost |nearly |barely |like |a |erst |solo |apenas )*{_TEEN}{_NOT_AN_AGE}",
        rf"(?:tengo|j'?ai|ho|tenho|mam|ben|mi edad es|mon age est|mein alter ist|mne|мне|у меня) (?:solo |apenas |juste |nur |erst )?{_TEEN}"
        rf"(?! ?(?:min\w*|horas?|heures?|ore|stund\w*|euros?|amig\w+|hijos|ami\w*|minut\w*|час\w*|минут\w*)\b)(?![:.]\d)",
    ),
    rule(
        "own-age-cjk",
        r"(?:我|私は|僕は|俺は|나는|저는)? ?(?:今年)? ?(?:1[0-7]|[89]|十[一二三四五六七]) ?(?:岁|歲|歳|才|살)",
        whole_words=False,
    ),
    rule(
        "age-in-years",
        rf"{_YOUNG}(?: and a half| 1/2|½)? ?(?:-| )?(?:years? ?-?olds?|yrs? ?-?olds?|yr ?olds?|y ?/? ?o|yo|years of age|jahre(?: alt)?|anos|anni|ans|lat|"
        rf"yasinda\w*|jaar(?: oud)?|лет|roku|ar gammal)",
        unless=rf"{_YOUNG}[\W_]*(?:years?|yrs?)[\W_]*olds? (?:\w+\s+)?{_THING}|{_THING}(?:\s+\w+)?(?:'s| is| are|s are| that is) (?:about |nearly |almost |over )?{_YOUNG} (?:years?|yrs?) olds?|"
        rf"(?:hace|vor|depuis|il y a|da|hace mas de|for|seit|faz|ha) {_YOUNG} (?:anos|anni|ans|jahre\w*|lat)|{_YOUNG} jahren?(?! alt)",
    ),
    rule(
        "age-and-sex",
        r"1[0-7][fm]",
        r"\A\W*1[0-7] [fm]\W*\Z",
        r"[fm]1[0-7]",
        r"1[0-7] ?/ ?[fm]",
        r"[fm] ?/ ?1[0-7]",
        unless=r"(?:seat|row|gate|room|flight|bus|platform|table|line|track|number|apt|exit) ?#?(?:1[0-7][fm]|[fm]1[0-7])",
    ),
    rule("bare-age", r"\A[\W_]*1[0-7](?: ?(?:lol|why|and u|and you|u|wbu|hbu|btw|haha))*[\W_]*\Z", whole_words=False),
    rule(
        "almost-of-age",
        r"(?:almost|nearly|not(?: yet)?|not even|just under|under|below|younger than|less than|close to|turn(?:ing)?|until i(?:'?m| am)(?: turning)?|till i(?:'?m| am)|til i(?:'?m| am)|before i turn|when i turn|be) "
        r"(?:like )?(?:1[0-8])(?: yet| soon| in \w+| next \w+| years?| this \w+| on \w+)?",
        r"1[78] (?:in (?:a few |two |three |\d )?(?:days|weeks|months?|january|february|march|april|may|june|july|august|september|october|november|december)|next (?:week|month|year|birthday)|soon|almost|minus)",
        r"turn(?:ed|ing|s)? 1[0-8]",
        unless=r"(?:children|kids|coach|u|football|team|league|museum|free for|ages?) (?:\w+\s+)?under 1[0-8]|under 1[0-8]s?(?: football| soccer| team| league|s)|it(?:'?s| is) (?:almost|nearly|not yet|not even|just) (?:1[0-2]|10|11|12)|(?:almost|nearly) (?:1[0-2]) (?:already|now|here|noon|o'?clock|at night|pm|am)|(?:be|under|almost|nearly|not|less than|close to|below) 1[0-8] ?(?:min\w*|hours?|hrs?|miles?|km|dollars?|bucks|percent|%|people|or \d|of|am|pm|:\d\d|days|degrees|weeks?|months?|feet)|"
        r"(?:i'?ll|i will|i can|could|should|to|would|might|gonna|will) be 1[0-7] (?:late|min\w*|away)|not (?:before|until|till|at|after) 1[0-8]|"
        r"turn(?:ed|s|ing)? 18 (?:years|\d+ years) ago",
    ),
    rule(
        "under-age",
        r"under ?aged?",
        r"minor(?! (?:issue|thing|delay|problem|detail|change|note|point|hiccup|key|chord|scale|third|role|in|was|league|surgery|accident|injur\w+|inconvenience|correction|emergency|matter|edit|update|traffic|cold))",
        r"(?:not|isn'?t|am not|ain'?t) (?:yet )?(?:of|legal) age",
        r"(?:not|aren'?t|ain'?t) (?:yet )?(?:legal|an adult|old enough|an adult yet|grown)(?: yet)?",
        r"barely legal",
        r"jail ?bait",
        r"pre ?teens?",
        r"loli(?:ta)?s?",
        r"school ?(?:girl|boy|kid)s?",
        r"too young",
        r"(?:just|still|only) a (?:kid|child|teen\w*|boy|girl|baby)",
        r"i(?:'?m| am) (?:a |still a |just a |only a )?(?:teen(?:ager)?|kid|child|tween|schoolgirl|schoolboy|student in high ?school)",
        r"teen(?:age)? (?:girl|boy)s?",
        r"fake (?:id|i\.d\.?)",
        unless=r"(?:my|his|her|your) minor (?:was|is|in|chord|key)|(?:museum|film|movie|rated|free|ticket\w*|entry|discount|children|kids|football|coach\w*|team|league)[^.!?]{0,30}under(?:s| the age of)? ?1[0-8]|too young (?:at heart|to (?:retire|die|feel old))|ursa minor|(?:not|never) too young|minor(?:ed|ing)|asia minor|in a minor|a minor in",
    ),
    rule(
        "family-and-school",
        r"(?:year|years|months?|weeks?|days?) (?:off|away|short|shy|until|till|from) (?:being |turning |i'?m )?(?:legal|of age|18|an adult)|(?:sixteen|seventeen|fifteen|1[5-7]) here|sophmore|(?:im|i'?m|i am) a? ?(?:sophomore|sophmore|freshman|junior|senior) in ?high ?school|(?:werde|bin) (?:nachsten|nachste|im|in|diesen|bald|am) (?:\w+ )?1[0-8](?= |$|[.!?,])|my 1[0-8] ?th birthday|sweet (?:16|sixteen)|(?:6|7|8|9|10|11|12|ninth|tenth|eleventh|twelfth|sophomore|freshman) grade(?:r)?|(?:9|10|11|12)(?:th)? grader",
        r"(?:my )?(?:parents?|mom|mum|mother|dad|father) (?:would|will|might|is gonna|are gonna|gonna|picks?|will pick|'?ll pick|drops?|has to|have to|said i|says i) (?:ground|kill me|be mad|be angry|pick me|drop me|sign|know|let me)",
        r"i(?:'?m| am)(?: only| just)? (?:1|one)\s+(?:[0-7]|zero|one|two|three|four|five|six|seven)\b(?! ?(?:min\w*|hours?|o'?clock|:))",
        r"prom (?:is|night|date|this|next)|(?:i'?m|i am) a (?:junior|sophomore|freshman)|(?:be|am|not) (?:fully )?legal (?:in|soon|yet)|legal in \d+ (?:days|weeks|months)",
        r"(?:my|our) (?:\w+\s+){0,2}(?:brother|sister|friend|cousin|buddy) (?:is|'?s|who is) (?:only |just )?(?:1[0-7])\b",
        r"(?:i'?m|i am|it'?s|this is|name'?s|name is) (?!almost|nearly|only|just|about|around|past|like|maybe|still|already|not)[a-z]{2,12},? (?:1[0-7])(?=,| from| and|\.|$| y| [fm]\b)(?! ?(?:min\w*|hours?))",
        r"after (?:class|homework|detention|homeroom|practice) (?:today|at|tomorrow|my)|(?:pick me up|drop me off) (?:from|after|at) (?:class|school|practice)",
        unless=r"(?:grand)?(?:daughter|son|niece|nephew|cousin|sister|kid)(?:'?s)? sweet (?:16|sixteen)|prom dress store|after class (?:i teach|at the gym|at my)|yoga class|(?:6|7|8|9|10|11|12)(?:th)? grade (?:teacher|class teacher)|teach[^.]{0,20}grade",
    ),
    rule(
        "age-doubt",
        r"(?:how old|what age)(?: do| should| must| does)? (?:i|you|one|someone|u)? ?(?:have to|need to|must|gotta|got to) be",
        r"(?:what'?s|what is|is there)(?: the| an| a| your)? (?:minimum age|age limit|age minimum|min age|age requirement)",
        r"(?:does|will|would|is) (?:my |the )?age (?:matter|be a problem|a problem|an issue|important|be an issue)",
        r"(?:don'?t|do not) ask (?:me )?(?:my age|how old)",
        r"(?:my age|how old i am) (?:is|might be|may be|could be) (?:a|an) (?:problem|issue)",
        r"(?:look|looks|seem|act) older than (?:i am|my age|i really am)",
        r"(?:lied|lying|lie) about my age",
        r"(?:young(?:er)? than|not) (?:you think|18|the legal age)",
        r"(?:ok|okay|fine|cool|alright|mind) (?:if|that|with) i(?:'?m| am) (?:so |really |very |a bit |kinda )?(?:young|younger|under)",
        r"see (?:someone|people|guys|boys|anyone|clients) (?:under|below|younger than) (?:18|21)",
        r"can'?t (?:legally )?(?:drive|vote|drink) yet",
    ),
    rule(
        "at-school",
        r"i(?:'?m| am)(?: still| currently| only)? (?:in|at|a) (?:high ?school(?:er)?|middle ?school(?:er)?|secondary school|junior high|school still|sixth form|grade \d+|year (?:7|8|9|10|11|12)|(?:the )?(?:6|7|8|9|10|11|12)th grade(?:r)?)",
        r"(?:still|go|going|goes) (?:in|at|to) (?:high ?school|middle ?school|junior high|school)",
        r"(?:6|7|8|9|10|11|12)th grade(?:r)?",
        r"(?:in|my) (?:freshman|sophomore|junior|senior) year (?:of|at|in) high ?school",
        r"(?:freshman|sophomore|junior|senior) (?:in|at) high ?school",
        r"(?:skip|skipping|ditch|ditching|cut|cutting|out of|after|finish|done with|leave|get out of) (?:class|school|homeroom|detention|high ?school) (?:today|tomorrow|to|on|at|for|so|and|then|early|i)",
        r"(?:my|get my) (?:mom|mum|mother|dad|father|parents?|folks|guardian) (?:can'?t|cannot|won'?t|don'?t|doesn'?t|must ?n'?t|would kill|will kill|wouldn'?t|might find|finds? out|thinks? i'?m at)(?:\s+\w+)?",
        r"(?:ground(?:ed)?) (?:by|for) (?:my|a|the|two|this)",
        unless=r"(?:my|the|his|her|our) (?:daughter|son|kid|child|kids|children|boy|girl|niece|nephew)(?:'?s)?[^.!?]{0,40}|(?:teach|teacher|work|teaching|working|coach|principal|volunteer)[^.!?]{0,20}(?:school|grade\w*)|(?:high|middle|secondary|primary) school (?:teacher|principal|coach|counsel\w+|librarian|nurse|reunion|friend)|i(?:'?m| am) an? (?:high|middle|secondary) school (?:teacher|principal|coach|counsel\w+|librarian|nurse)|"
        r"(?:law|med|medical|grad|graduate|business|nursing|art|film|driving|night|dental|vet) school|back to school (?:for|to get)|school (?:run|pick ?up|drop ?off|bus|traffic|holidays?|board)|"
        r"(?:my|our) (?:parents?|mom|mum|dad|father|mother|folks) (?:won'?t|can'?t|doesn'?t|don'?t|wouldn'?t) (?:be|come|visit|live|arrive|eat|sleep|drive|use|feel|fly|travel|make)",
    ),
    rule(
        "birth-year",
        r"(?:born|b\.?|geboren|nacid[ao]|nasci|nee?|nat[ao]|birth ?year|year of birth|dob)(?:\s+\w+){0,3}? (?:in |on |en |im jahr |em |nel )?(?:[0-3]?\d[/.\-\s][0-3]?\d[/.\-\s])?20(?:09|1\d|2\d)",
    ),
    rule(
        "other-languages",
        r"menor(?:es)? de (?:edad|idade)|(?:soy|eres|sou) menor|(?:aun|todavia) no (?:tengo|cumplo) 18|noch (?:nicht|keine) 18|(?:werde|bin) (?:bald|fast|erst) 1[0-8]|pas encore 18|ai pas 18|non ho (?:ancora )?18|(?:faccio il|vado al|frequento il) liceo|(?:ainda )?nao tenho 18|(?:еще |ещё )?нет 18|minderjahrig\w*|mineure?s?|minorenn[ei]|nezletil\w*|niepelnoletni\w*|несовершеннолетн\w*|школьни\w+|resit degilim|"
        r"(?:noch|in der|zur|gehe (?:noch )?(?:in die|zur)) schule|(?:voy|estoy) (?:al|en el|en la) (?:colegio|instituto|secundaria|prepa\w*)|au (?:lycee|college)|"
        r"(?:vado|sono) (?:al|alle) (?:liceo|medie|superiori)|no ensino medio|учусь в школе|i klass \d",
        r"未成年|高校生|中学生|고등학생|미성년",
        whole_words=False,
        unless=r"(?:tochter|sohn|hij[ao]|fill?e|fils|figli[ao]|filh[ao])[^.!?]{0,40}|ingenieure?s?",
    ),
)

_BODY = (
    *_RULES,
    rule(
        "their-age",
        rf"(?:you(?:'?re| are|r)?|u r|ur|are you|said) (?:only |just |really |still |about )?{_TEEN}{_NOT_AN_AGE}",
        r"how old are you",
    ),
)

GATE = rules_gate("minor", "Nobody under age is ever written to.", inbound=_RULES, body=_BODY, raises_alert=True)
