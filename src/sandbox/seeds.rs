//! The people of the start, in plain fields, so that both providers hold the same ones in their own words. Invented, all
//! of them; addresses and numbers are from the ranges kept free for examples.

/// One person as a human would write them down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedPerson {
    /// `Dr.`
    pub prefix: String,
    /// Given name.
    pub given: String,
    /// Middle name.
    pub middle: String,
    /// Family name.
    pub family: String,
    /// `Jr.`
    pub suffix: String,
    /// Nickname.
    pub nickname: String,
    /// (kind: home, work, other; address).
    pub emails: Vec<(String, String)>,
    /// (kind: home, work, mobile; number).
    pub phones: Vec<(String, String)>,
    /// (kind: home, work; street, city, postal code, country).
    pub addresses: Vec<(String, [String; 4])>,
    /// Company.
    pub company: String,
    /// Department.
    pub department: String,
    /// Job title.
    pub title: String,
    /// Year (0 = not known), month, day.
    pub birthday: Option<(i32, u32, u32)>,
    /// A note, lines ended by LF.
    pub note: String,
    /// A web page.
    pub url: String,
    /// Labels: groups at Google, categories at Microsoft.
    pub labels: Vec<String>,
    /// The one colour of the photo, if there is one.
    pub photo: Option<[u8; 3]>,
    /// Whether Google has this person.
    pub at_google: bool,
    /// Whether Microsoft has this person.
    pub at_microsoft: bool,
}

/// Who has a person of the demo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Both,
    Google,
    Microsoft,
}

/// The people of the demo: eighteen, a dozen at each provider, six of them at both.
pub fn demo() -> Vec<SeedPerson> {
    let zoe = SeedPerson {
        prefix: "Dr.".into(),
        middle: "Maria".into(),
        suffix: "PhD".into(),
        nickname: "Zo".into(),
        department: "Research & Development".into(),
        title: "Head of \"Odd Jobs\"; Lab 2".into(),
        url: "https://example.com/zoe?a=1&b=2".into(),
        note: "Met in Kraków.\n\nAllergic to peanuts; likes tea, not coffee.".into(),
        photo: Some([200, 40, 90]),
        ..person(At::Both, "Zoë", "Ångström-Łukasiewicz", "Example, Inc.", (0, 2, 29))
    };
    let jose = SeedPerson {
        middle: "Ramón".into(),
        note: "Calls back after 18:00.".into(),
        labels: vec!["Klubi".into()],
        ..person(At::Both, "José", "Núñez de la Peña", "Ejemplo S.A.", (1978, 11, 3))
    };
    let mut people = vec![
        zoe,
        jose,
        SeedPerson { photo: Some([30, 120, 60]), ..person(At::Both, "Björn", "Þórsson", "", (1990, 1, 1)) },
        SeedPerson {
            labels: vec!["Küche, Büro".into()],
            ..person(At::Both, "Anke", "Müller-Groß", "Muster GmbH", (0, 0, 0))
        },
        person(At::Both, "Siobhán", "O'Connor", "Example Ltd.", (1985, 6, 17)),
        person(At::Both, "Nguyễn", "Thị Hồng", "", (2001, 12, 31)),
        SeedPerson {
            nickname: "Маша".into(), ..person(At::Google, "Мария", "Иванова", "Пример", (1969, 3, 8))
        },
        person(At::Google, "花子", "山田", "株式会社サンプル", (1995, 5, 5)),
        SeedPerson { suffix: "Jr.".into(), ..person(At::Google, "Martin", "King", "", (0, 1, 15)) },
        SeedPerson { labels: vec!["Klubi".into()], ..person(At::Google, "Äiti", "", "", (1955, 4, 2)) },
        SeedPerson { title: "Reception".into(), ..person(At::Google, "", "", "Hotel Beispiel", (0, 0, 0)) },
        SeedPerson { note: "x".repeat(300), ..person(At::Google, "Çağlar", "Şimşek", "", (1988, 8, 8)) },
        person(At::Microsoft, "Łucja", "Źdźbło", "Przykład sp. z o.o.", (1972, 10, 30)),
        person(At::Microsoft, "François-Xavier", "d’Été", "Exemple SA", (1964, 7, 14)),
        SeedPerson {
            photo: Some([10, 10, 160]), ..person(At::Microsoft, "Γιώργος", "Παπαδόπουλος", "", (0, 0, 0))
        },
        SeedPerson { title: "Hausmeister".into(), ..person(At::Microsoft, "Karl", "", "", (0, 0, 0)) },
        person(At::Microsoft, "Ole", "Ødegård", "Eksempel AS", (1999, 9, 9)),
        SeedPerson {
            labels: vec!["Küche, Büro".into()], ..person(At::Microsoft, "محمد", "العربي", "", (1980, 2, 28))
        },
    ];
    // Three addresses and three numbers for one who is at both, as many as Graph can hold.
    if let Some(zoe) = people.first_mut() {
        zoe.emails.push(("home".into(), "zoe.private@example.org".into()));
        zoe.emails.push(("other".into(), "zoe+old@example.net".into()));
        zoe.phones.push(("home".into(), "+48 22 555 01 00".into()));
        zoe.phones.push(("mobile".into(), "+48 600 555 019".into()));
    }
    people
}

/// A person with what most people have; a month of 0 means no birthday.
fn person(at: At, given: &str, family: &str, company: &str, birthday: (i32, u32, u32)) -> SeedPerson {
    let ascii: String = format!("{given}{family}{company}").chars().filter(char::is_ascii_alphanumeric).collect();
    let number = given
        .bytes()
        .chain(family.bytes())
        .chain(company.bytes())
        .fold(100_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 9_000);
    let mailbox = if ascii.is_empty() { format!("p{number}") } else { ascii.to_lowercase() };
    let address = ["Example Street 1", "Exampleton", "01234", "Germany"].map(str::to_owned);
    SeedPerson {
        given: given.into(),
        family: family.into(),
        company: company.into(),
        emails: vec![("work".into(), format!("{mailbox}@example.com"))],
        phones: vec![("work".into(), format!("+1 555 01{:02} {:04}", number % 100, number))],
        addresses: if company.is_empty() { Vec::new() } else { vec![("work".into(), address)] },
        birthday: (birthday.1 > 0).then_some(birthday),
        at_google: at != At::Microsoft,
        at_microsoft: at != At::Google,
        ..SeedPerson::default()
    }
}

const GIVEN: [&str; 24] = [
    "Aino",
    "Béla",
    "Chloé",
    "Dagmar",
    "Emil",
    "Fatma",
    "Göran",
    "Hélène",
    "Ivo",
    "Jürgen",
    "Kateřina",
    "Luís",
    "Małgorzata",
    "Niña",
    "Øyvind",
    "Pál",
    "Quentin",
    "Renée",
    "Søren",
    "Tõnu",
    "Ursula",
    "Věra",
    "Wanda",
    "Yağız",
];
const FAMILY: [&str; 27] = [
    "Andersen",
    "Böhm",
    "Castaño",
    "Dvořák",
    "Eriksson",
    "Farkaš",
    "Großmann",
    "Hernández",
    "Iliescu",
    "Järvinen",
    "Kowalski",
    "Lefèvre",
    "Mäkelä",
    "Novák",
    "O'Neill",
    "Papp",
    "Quiñones",
    "Röntgen",
    "Šimůnek",
    "Tóth",
    "Üçok",
    "van den Berg",
    "Weiß",
    "Xuereb",
    "Yıldız",
    "Zółtowski",
    "Brontë",
];

/// So many people, all at both providers, the same ones each time. Any two differ.
pub fn bulk(count: usize) -> impl Iterator<Item = SeedPerson> {
    (0..count).map(|i| {
        let (given, family) = (GIVEN[i % GIVEN.len()], FAMILY[(i / GIVEN.len() + i) % FAMILY.len()]);
        let company = if i % 3 == 0 { "Example AG" } else { "" };
        let day = u32::try_from(i % 28).unwrap_or(0) + 1;
        let month = u32::try_from(i % 13).unwrap_or(0);
        let year = if i % 7 == 0 { 0 } else { 1940 + i32::try_from(i % 70).unwrap_or(0) };
        let mut made = person(At::Both, given, family, company, (year, month, day));
        made.nickname = format!("N{i:05}");
        made.emails = vec![("work".into(), format!("person{i}@example.com"))];
        made.phones = vec![("mobile".into(), format!("+1 555 01{:02} {:05}", i % 100, i))];
        if i % 5 == 0 {
            made.note = format!("Number {i}\nsecond line");
        }
        if i % 10 == 0 {
            made.emails.push(("home".into(), format!("home{i}@example.org")));
            made.labels = vec![["Klubi", "Verein"][i / 10 % 2].into()];
        }
        made
    })
}
