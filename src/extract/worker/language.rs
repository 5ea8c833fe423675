//! Which language a text is in, when there is little doubt.
//!
//! Scripts that belong to one language are told by their letters; languages that share the Latin
//! or Cyrillic script by their most frequent little words. Text with too few of those, or with two
//! languages close together, stays undecided: a wrong stemmer hurts a search more than none.

/// ISO 639-1, or `None` when it is not clear.
pub fn detect(text: &str) -> Option<&'static str> {
    let mut counts = Scripts::default();
    for character in text.chars().filter(|character| character.is_alphabetic()) {
        counts.add(character);
    }
    if counts.total < 40 {
        return None;
    }
    let share = |count: usize| count * 100 / counts.total;
    if share(counts.kana) >= 10 && share(counts.kana + counts.han) >= 60 {
        Some("ja")
    } else if share(counts.hangul) >= 60 {
        Some("ko")
    } else if share(counts.han) >= 70 {
        Some("zh")
    } else if share(counts.greek) >= 60 {
        Some("el")
    } else if share(counts.hebrew) >= 60 {
        Some("he")
    } else if share(counts.thai) >= 60 {
        Some("th")
    } else if share(counts.latin) >= 70 {
        by_little_words(text, LATIN)
    } else if share(counts.cyrillic) >= 60 {
        by_little_words(text, CYRILLIC)
    } else if share(counts.arabic) >= 60 {
        by_little_words(text, ARABIC)
    } else {
        None
    }
}

#[derive(Default)]
struct Scripts {
    total: usize,
    latin: usize,
    greek: usize,
    cyrillic: usize,
    hebrew: usize,
    arabic: usize,
    thai: usize,
    kana: usize,
    hangul: usize,
    han: usize,
}

impl Scripts {
    fn add(&mut self, letter: char) {
        self.total += 1;
        match letter {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
                self.latin += 1;
            }
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => self.greek += 1,
            '\u{400}'..='\u{52f}' => self.cyrillic += 1,
            '\u{590}'..='\u{5ff}' => self.hebrew += 1,
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{fefc}' => {
                self.arabic += 1;
            }
            '\u{e00}'..='\u{e7f}' => self.thai += 1,
            '\u{3040}'..='\u{30ff}' => self.kana += 1,
            '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => self.hangul += 1,
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => self.han += 1,
            _ => {}
        }
    }
}

type LittleWords = &'static [(&'static str, &'static str)];

/// Words that are frequent in running text. One that several of these languages share counts for
/// each and so for none.
const LATIN: LittleWords = &[
    (
        "en",
        "the of and to in is that for it was on are as with his they be at this have from or had by but not what all were we when your can said there an each which she how their if will up other about out many then them these so some her would make like into has more",
    ),
    (
        "de",
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn können kann unter wir soll ihre",
    ),
    (
        "fr",
        "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont avec aux son cette ou ses mais comme nous sa été ont leur fait elle deux ces être vous tout même aussi bien sans peut ils entre après où",
    ),
    (
        "es",
        "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso había ante ellos e esto mí antes algunos unos",
    ),
    (
        "it",
        "di e il la che in a per un del è una i non con da le si al come sono della dei nel alla ha più gli anche delle ma su lo dal o se questo sua suo essere stato ai tra nella sul due ci dalla questa quando loro hanno degli fra fatto sulla molto tutti",
    ),
    (
        "pt",
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles estão você",
    ),
    (
        "nl",
        "de en van een het in is dat op te met voor niet zijn die er aan om ook als door maar bij ze naar uit over dan nog wel kan hij heeft werd tot ik worden deze wordt meer was al hun of zo geen onder moet wij ons haar tegen veel",
    ),
    (
        "sv",
        "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år säger hon under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än här då sedan över bara in",
    ),
    (
        "da",
        "og i at det er en til af på for med den der de ikke som har et var han fra jeg men om vi sig så kan hun eller efter ved ud nu skal også blev være når under hvor havde over bliver mod deres efter kun hvis alle mange denne op",
    ),
    (
        "nb",
        "og i det er på som en å til av for at med den har de ikke han fra var et om men jeg seg så kan vi hun eller etter ved ut nå skal også ble være når under hvor hadde over blir mot deres bare hvis alle mange denne opp etter sier noe",
    ),
    (
        "pl",
        "w i na z się do nie że o to jest za od po jak przez co dla przy ale ma są lub oraz tego ich być tym może czy tylko które który która już był było była także nad bez tak pod jego aby gdy roku ze jako",
    ),
    (
        "tr",
        "ve bir bu da de için ile olarak olan daha çok en ne gibi kadar sonra her ise ya ki var olduğu yeni değil ancak bunu ama veya tarafından göre oldu iki o zaman şekilde",
    ),
    (
        "fi",
        "ja on ei että se oli hän mutta ovat joka kun myös tai niin kuin sen jos hänen ole tämä vain mukaan olla sekä jo vuonna voi mitä nyt sitä minä ne kanssa jälkeen siitä",
    ),
    (
        "cs",
        "a v se na je že s z do o i to k ve pro za by ale jako si po jsou od které který která při tak být jeho nebo bylo však není byl podle jen co už až než má",
    ),
    (
        "hu",
        "a az és hogy nem is egy ez van volt meg csak már mint de még ha el vagy azt ki amely amit kell lehet ezt után által minden szerint lesz több ezek azok",
    ),
    (
        "ro",
        "și de în a la cu pe care din că nu o un este mai pentru să sau ca se au fost prin fi lui dar după acest această sunt când între despre fără",
    ),
    (
        "id",
        "yang dan di dengan untuk pada dari ini dalam itu tidak adalah akan ke oleh sebagai juga atau dapat telah tersebut karena mereka saya kami bahwa bisa ada",
    ),
];

const CYRILLIC: LittleWords = &[
    (
        "ru",
        "и в не на что он с как это по но из у к за от о же так был бы для или то все она его только мы вы они было если ещё еще при до этот этого была были уже быть может также который которые",
    ),
    (
        "uk",
        "і в не на що він з як це по але із у до за від о та так був би для або то все вона його тільки ми ви вони було якщо ще при цей цього була були вже бути може також який які є й",
    ),
    (
        "bg",
        "и в не на че той с как това по но от у към за до се да са така беше би или то всички тя му само ние вие те ако още при този тази е във със което който които ще",
    ),
    (
        "sr",
        "и у не на да је се за са од као што али то су из по који која које или био била све само они ми ви ако још при овај та ће бити може после",
    ),
];

const ARABIC: LittleWords = &[
    (
        "ar",
        "في من على إلى أن عن مع هذا هذه التي الذي كان كانت ما لا لم قد أو ثم بعد بين كل ذلك هو هي و إن كما",
    ),
    (
        "fa",
        "در از به که این را با است برای آن و یک می خود تا بر شد هم های نیز ها بود شده باید یا اما دارد کند",
    ),
    ("ur", "کے میں کی ہے اور سے کا کو اس نے پر ہیں یہ کہ ایک بھی تھا نہیں کر تھے ہو گیا جو"),
];

/// The language with the most of its little words, if it leads clearly.
fn by_little_words(text: &str, languages: LittleWords) -> Option<&'static str> {
    const WORDS_MAX: usize = 4000;
    let lists: Vec<(&str, std::collections::HashSet<&str>)> =
        languages.iter().map(|(language, words)| (*language, words.split(' ').collect())).collect();
    let mut hits = vec![0usize; lists.len()];
    let mut total = 0;
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        if total == WORDS_MAX {
            break;
        }
        total += 1;
        let word = word.to_lowercase();
        for (index, (_, words)) in lists.iter().enumerate() {
            hits[index] += usize::from(words.contains(word.as_str()));
        }
    }
    let best = (0..lists.len()).max_by_key(|index| hits[*index])?;
    let second = (0..lists.len()).filter(|index| *index != best).map(|index| hits[index]).max()?;
    // Running text has a third of little words; tables and lists have few and stay undecided.
    let is_running_text = total >= 12 && hits[best] * 100 >= total * 12 && hits[best] >= 6;
    let leads = hits[best] * 10 >= second * 13;
    (is_running_text && leads).then(|| lists[best].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_text_is_told() {
        let samples = [
            (
                "en",
                "The annual report describes how the fund performed in a year that was difficult for most of its peers, and what the managers expect from the next one.",
            ),
            (
                "de",
                "Der Jahresbericht beschreibt, wie sich der Fonds in einem Jahr entwickelt hat, das für die meisten schwierig war, und was die Verwalter von dem nächsten erwarten.",
            ),
            (
                "fr",
                "Le rapport annuel décrit comment le fonds s'est comporté dans une année qui a été difficile pour la plupart de ses concurrents, et ce que les gérants attendent de la prochaine.",
            ),
            (
                "es",
                "El informe anual describe cómo se comportó el fondo en un año que fue difícil para la mayoría de sus competidores y lo que los gestores esperan del próximo.",
            ),
            (
                "it",
                "La relazione annuale descrive come il fondo si è comportato in un anno che è stato difficile per la maggior parte dei concorrenti e che cosa i gestori si aspettano dal prossimo.",
            ),
            (
                "nl",
                "Het jaarverslag beschrijft hoe het fonds het heeft gedaan in een jaar dat voor de meeste anderen moeilijk was, en wat de beheerders van het volgende jaar verwachten.",
            ),
            (
                "pt",
                "O relatório anual descreve como o fundo se comportou em um ano que foi difícil para a maioria dos concorrentes e o que os gestores esperam do próximo.",
            ),
            (
                "ru",
                "Годовой отчёт описывает, как фонд работал в год, который был трудным для большинства, и чего управляющие ждут от следующего, если условия не изменятся.",
            ),
            (
                "uk",
                "Річний звіт описує, як фонд працював у році, що був важким для більшості, і чого керуючі чекають від наступного, якщо умови не зміняться та все буде так само.",
            ),
            (
                "el",
                "Η ετήσια έκθεση περιγράφει πώς κινήθηκε το αμοιβαίο κεφάλαιο σε μια δύσκολη χρονιά.",
            ),
            (
                "ja",
                "年次報告書は、困難な年にファンドがどのように運用されたか、そして来年に何を期待するかを説明しています。よろしくお願いします。",
            ),
            (
                "zh",
                "年度报告介绍了基金在困难的一年中的表现以及管理人对下一年的预期并且说明了主要风险和费用情况以及投资组合的变化",
            ),
        ];
        for (language, text) in samples {
            assert_eq!(detect(text), Some(language), "{text}");
        }
    }

    #[test]
    fn lists_and_scraps_stay_undecided() {
        assert_eq!(detect(""), None);
        assert_eq!(detect("Invoice 2024-17"), None);
        let list = "Widget Gizmo Sprocket Bracket Flange Gasket Washer Bolt Nut Screw Hinge Clamp";
        assert_eq!(detect(list), None);
    }
}
