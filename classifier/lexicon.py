"""The words that the features count, by what they ask for; data of `features`, nothing else reads it.

One row a class: words of the fifteen languages of the corpus where they are cheap to name, whole and in
lower case. A word belongs to one class. Words about the router itself ("simple", "hard", "cheapest",
"best") are left out on purpose: what a prompt says of its own difficulty is no evidence.
"""

from __future__ import annotations

from itertools import chain

# What a prompt asks to be done; counted where instructions stand, near its beginning and its end.
TASKS: dict[str, str] = {
    "pick_out": """extract list name find identify count pull highlight return select pick show
        give lookup fill extrahiere liste nenne finde zähle markiere extrais extraire cite
        trouve relève extrae enumera nombra encuentra extraia liste cite encontre estrai elenca
        trova noem zoek haal wypisz podaj znajdź wymień listele bul çıkar say перечисли найди
        выпиши назови استخرج اذكر निकालो बताओ बताइए लिखो""",
    "label": """classify label tag categorise categorize sentiment assign sort group rank flag
        detect positive negative neutral true false spam klassifiziere sortiere ordne einordnen
        classe classifie trier clasifica ordena classifique ordene classifica classificare
        classificeer sorteer sklasyfikuj przypisz sınıflandır etiketle классифицируй определи
        صنف वर्गीकृत""",
    "rework": """rewrite rephrase reword shorten fix correct proofread format convert rename
        replace remove add change turn make spelling grammar typo uppercase lowercase capitalise
        capitalize reformat tidy clean polish simplify umformulieren kürze korrigiere formuliere
        ändere corrige reformule raccourcis remplace corrige reescribe acorta cambia corrija
        reescreva encurte correggi riscrivi accorcia herschrijf verbeter inkorten popraw skróć
        zmień düzelt kısalt çevir исправь перепиши сократи замени صحح أعد सुधारो ठीक""",
    "summarise": """summarise summarize summary tldr gist recap outline bullets headline title
        titles key takeaways zusammenfassung fasse zusammen stichpunkte überschrift résume
        résumé resume resumen resumo resuma riassumi riassunto samenvatten samenvatting vat
        streść podsumuj streszczenie özetle özet кратко резюме суммируй لخص ملخص सारांश""",
    "translate": """translate translation english german french spanish italian dutch polish
        turkish russian japanese chinese korean arabic hindi portuguese übersetze übersetz
        übersetzung traduis traduire traduction traduce traducir traduz traduza traducir traduci
        traduzione vertaal przetłumacz tłumaczenie çeviri tercüme переведи перевод ترجم ترجمة
        अनुवाद""",
    "write": """write draft compose create generate poem story email letter speech post blog
        reply message caption slogan essay song dialogue invite schreib schreibe verfasse
        entwirf gedicht rédige écris lettre courriel escribe redacta carta correo escreva redija
        scrivi scrivimi lettera schrijf brief napisz list wiadomość yaz mektup напиши письмо
        стих اكتب رسالة ईमेल कविता""",
    "explain": """explain describe tell teach understand meaning mean means define definition
        overview introduce erkläre erklär beschreibe bedeutet explique expliquer décris signifie
        explica explicame describe significa descreva spiega spiegami descrivi uitleg leg
        beschrijf wyjaśnij opisz oznacza açıkla anlat nedir объясни опиши значит اشرح وضح समझाओ
        समझाइए मतलब""",
    "compare": """compare comparison versus vs difference differences differ pros cons
        advantages disadvantages tradeoff tradeoffs better worth alternatives recommend
        vergleiche vergleich unterschied vorteile compare comparer différence avantages compara
        diferencia ventajas diferença vantagens confronta differenza vergelijk verschil porównaj
        różnica karşılaştır fark farkı сравни разница قارن الفرق तुलना अंतर""",
    "make_code": """implement function script query program code class method regex sql python
        javascript typescript rust java bash component endpoint parser test tests unit api
        snippet command funktion skript abfrage fonction requête función consulta função
        funzione functie funkcja zapytanie fonksiyon функция скрипт запрос دالة""",
    "debug": """debug bug error errors crash crashes fails failing failed exception traceback
        leak race deadlock hangs flaky intermittent intermittently broken root cause segfault
        timeout regression fehler fehlermeldung erreur plante falla errore fout błąd hata ошибка
        падает خطأ""",
    "prove": """prove proof disprove derive derivation show lemma theorem corollary conjecture
        counterexample rigorous rigorously induction contradiction iff necessary sufficient
        beweise beweis zeige prouve prouver démontre démontrer montre demuestra demostrar prove
        demonstre dimostra dimostrare bewijs udowodnij wykaż kanıtla ispatla докажи доказать
        доказательство أثبت برهن सिद्ध""",
    "plan": """design architect architecture plan schedule roadmap strategy migrate migration
        optimise optimize allocate rollout schema entwerfe plane planung entwurf conçois
        planifie diseña planifica projete planeje progetta pianifica ontwerp plan zaprojektuj
        zaplanuj tasarla planla спроектируй план распланируй صمم خطة योजना""",
    "judge": """diagnose assess interpret evaluate review critique advise liable liability valid
        enforceable justify whether argue analyse analyze investigate audit verify check
        prioritise prioritize decide differential bewerte beurteile prüfe analysiere évalue
        analyse interprète évaluer evalúa analiza interpreta avalie analise valuta analizza
        beoordeel analyseer oceń przeanalizuj değerlendir incele оцени проанализируй قيم حلل
        विश्लेषण""",
    "calculate": """calculate compute solve probability expected integral derivative equation
        sum average percent percentage maximum minimum estimate total interest rate berechne
        löse wahrscheinlichkeit calcule résous probabilité calcula resuelve probabilidad calcule
        resolva calcola risolvi bereken oblicz rozwiąż hesapla çöz вычисли реши посчитай احسب حل
        गणना हल""",
}

# What shapes the work wherever it stands.
SHAPES: dict[str, str] = {
    "must": """must exactly only without unless except cannot never always least most every each
        both neither limit within keep preserve required forbidden allowed constraint
        constraints muss genau nur ohne mindestens höchstens jede sans exactement seulement doit
        sin exactamente solo debe sem exatamente deve senza esattamente zonder precies moet bez
        dokładnie musi tylko olmadan tam sadece без ровно только должен بدون فقط يجب बिना केवल
        सिर्फ""",
    "reason": """because therefore if then given assume suppose hence otherwise although though
        while but however since thus when still yet instead unless weil wenn aber obwohl falls
        dann si mais donc car puisque pero porque aunque entonces mas embora então ma perché
        quindi maar omdat als ale jeśli ponieważ ama eğer çünkü если но потому хотя то إذا لكن
        لأن अगर लेकिन क्योंकि""",
    "doubt": """actually really wrong correct claim claims claimed hidden trap consistent
        inconsistent contradict contradiction contradicts ambiguous bias fair legally clinically
        guarantee prove refute evidence mistake flaw wrongly defend survive survives wirklich
        stimmt falsch vraiment faux realmente incorrecto errado davvero sbagliato echt klopt
        naprawdę gerçekten yanlış действительно верно правда खतरा सही गलत""",
    "terse": """just only one line word short brief briefly nothing else pls plz please quick
        quickly simply single yes no nur kurz bitte court seulement stp svp breve corto por
        favor solo curto só kort alleen krótko tylko kısa sadece коротко только пожалуйста فقط
        مختصر बस""",
    "depth": """step steps stepwise detail detailed thorough precise precisely formal exact
        complete bound bounds asymptotic minimal optimal worst general generalise generalize
        arbitrary uniqueness necessary invariant mechanism tradeoffs edge cases assumptions
        order justify schritt begründe begründung étape justifie paso justifica passo passaggi
        stap krok uzasadnij adım gerekçe шаг обоснуй شرح कारण""",
    "question": """what who when where which whose was wer wann wo welche welcher quel quelle
        qui quand où qué quién cuándo dónde cuál quem quando onde qual che chi dove quale wat
        wie wanneer waar welke co kto kiedy gdzie który ne kim nerede hangi что кто когда где
        какой какая ما من متى أين क्या कौन कब कहाँ कौन""",
    "why": """why how warum wieso wie weshalb pourquoi comment cómo porqué como perché come
        waarom hoe dlaczego jak neden niçin nasıl почему зачем как لماذا كيف क्यों कैसे""",
    "personal": """i my me we our us im ive ich mein meine wir unser je mon ma mes nous notre yo
        mi mis nosotros nuestro eu meu minha nós io mio mia noi nostro ik mijn wij ons ja mój
        moja my nasz ben benim bizim я мой моя мы наш أنا لي मैं मेरा मेरी हम""",
    "material": """following below above text passage email ticket article paragraph sentence
        transcript review invoice clause attached notes log table reviews tickets paragraphs
        document report folgende folgenden unten suivant suivante texte ci siguiente texto abajo
        seguinte abaixo seguente testo volgende tekst poniższy tekst aşağıdaki metin следующий
        текст ниже النص التالي निम्नलिखित पाठ""",
    "code_word": """def return import const var void public private static struct fn func lambda
        async await null nil none println printf console std elif endif select join int bool str
        enum extends implements throws npm git docker kubectl sudo curl pandas numpy react
        kubernetes postgres nginx terraform json yaml html css""",
    "maths_word": """sin cos tan log ln gcd lim mod det matrix matrices vector integer integers
        prime primes modulo polynomial continuous convergent converge group ring field
        eigenvalue eigenvalues variance distribution random graph vertices edges triangle angle
        function functions sequence series differentiable compact topology""",
    "closing": """thanks thank thx ty bye cheers perfect great awesome cool hi hello hey morning
        evening danke hallo tschüss merci bonjour salut gracias hola adiós obrigado obrigada olá
        grazie ciao bedankt hoi dziękuję dzięki cześć teşekkürler merhaba sağol спасибо привет
        пока شكرا مرحبا धन्यवाद नमस्ते""",
    "continue": """continue next more further go on yes yep ok okay sure proceed again another
        also weiter ja mach continue oui suite sigue continúa sí continua sim avanti sì ga door
        verder dalej tak kontynuuj devam evet дальше продолжай да أكمل نعم تابع जारी हाँ आगे""",
}

# The same classes where words are not set apart by spaces; sought only in text that has such a script.
UNSPACED: dict[str, str] = {
    "pick_out": "提取 列出 找出 抜き出 挙げ リストアップ 추출 나열 찾아",
    "label": "分类 判断 归类 分類 ラベル 분류",
    "rework": "改写 修改 改成 润色 校对 直して 書き直 修正 言い換え 고쳐 바꿔 다듬",
    "summarise": "总结 概括 摘要 要約 まとめて 一言で 요약",
    "translate": "翻译 译成 英文 訳して 翻訳 英語 번역 영어로",
    "write": "写一 写封 邮件 文案 書いて メール 作文 써줘 써 메일 편지",
    "explain": "解释 说明 介绍 是什么 説明 教えて とは 설명 알려 뭐야 무엇",
    "compare": "比较 区别 对比 比較 違い 比べ 비교 차이",
    "make_code": "代码 函数 脚本 关数 関数 コード スクリプト 코드 함수",
    "debug": "报错 错误 故障 エラー バグ 原因 오류 버그",
    "prove": "证明 求证 推导 証明 導出 示せ 증명 유도",
    "plan": "设计 规划 方案 计划 設計 計画 설계 계획",
    "judge": "评估 分析 诊断 判定 評価 分析 診断 평가 분석 진단",
    "calculate": "计算 求 概率 計算 確率 求め 계산 확률 구하",
    "must": "必须 只 不要 至少 最多 必ず だけ 以内 以上 반드시 만 이내 이상",
    "reason": "如果 因为 但是 所以 もし しかし ので けど 만약 하지만 때문",
    "why": "为什么 怎么 如何 なぜ どうして どう 왜 어떻게",
    "question": "什么 谁 哪 吗 何 誰 どこ いつ 무엇 누구 어디 언제",
    "personal": "我 私 僕 うち 나 제 우리 저",
    "closing": "谢谢 你好 ありがと こんにちは 감사 안녕",
    "continue": "继续 接着 好的 続け はい 次 계속 네 다음",
}


# A request of nothing but these asks for more of what was asked before.
_CONTINUATIONS = """
    continue proceed go going ahead on keep next more further then and yes yep yeah yup y ok okay
    sure right please pls do it that so now again the rest part two three finish carry weiter ja
    bitte mach fortfahren nächste oui continue vas suite suivant d accord sí si sigue continúa
    continua adelante siguiente dale sim continue segue vai próximo próxima avanti procedi prosegui
    prego per favore ga door verder graag doe maar tak dalej kontynuuj proszę devam evet et lütfen
    tamam да дальше продолжай давай пожалуйста نعم أكمل تابع استمر हाँ हां आगे जारी रखें रखो बढ़ो 继续
    好 好的 是的 接着 下一步 请继续 続けて はい お願いします 次 네 계속 계속해 계속해줘 다음
"""
CONTINUATIONS = frozenset(_CONTINUATIONS.split())


def by_word(classes: dict[str, str], places: dict[str, int]) -> dict[str, int]:
    """Return each word with the place of its class; a word that stands in two classes keeps the first.

    >>> by_word({"write": "draft", "why": "why draft"}, {"write": 0, "why": 1})
    {'draft': 0, 'why': 1}
    """
    pairs = chain.from_iterable(
        ((word, places[name]) for word in row.split()) for name, row in classes.items()
    )
    found: dict[str, int] = {}
    for word, place in pairs:
        found.setdefault(word, place)
    return found
