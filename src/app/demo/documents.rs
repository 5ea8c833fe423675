//! The library of the sample organization: papers of an investment house, designs of a studio.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;

use super::{
    App, ORGANIZATION,
    manuscript::{Block, parse},
    office, pdf,
    people::People,
    pictures,
};
use crate::{
    domain::{
        access::Actor,
        documents::{self, Document, Kind, NewDocument, Status, Visibility},
        organizations::Organization,
        users::User,
        versions::{self, NewFile},
    },
    error::Result,
    id::Id,
};

/// Adds all documents, each by its author. Returns how many there are.
pub(super) async fn add(app: &Arc<App>, people: &People) -> Result<usize> {
    let mut library = Library { app, organization: people.organization, count: 0 };
    library.papers(people).await?;
    library.deals(people).await?;
    library.designs(people).await?;
    Ok(library.count)
}

struct Library<'a> {
    app: &'a Arc<App>,
    organization: Id<Organization>,
    count: usize,
}

impl Library<'_> {
    /// What everybody in the house reads.
    async fn papers(&mut self, people: &People) -> Result<()> {
        let annual = parse(include_str!("texts/annual-report-2024.md"));
        let new = paper("Annual report 2024", "Reports", "annual, 2024, fund");
        let id = self.file(&people.clara, new, "annual-report-2024.pdf", set(&annual)).await?;
        self.archive(&people.clara, id).await?;

        let text = include_str!("texts/filing.html");
        let new = paper("How we file documents", "House", "filing");
        self.file(&people.clara, new, "filing.html", text.into()).await?;

        let text = include_str!("texts/handbook.md");
        let new = paper("Handbook for new colleagues", "House", "welcome, filing");
        self.file(&people.clara, new, "handbook.md", text.into()).await?;

        let mut new = paper("Calendar of the exchange", "House", "calendar, market");
        new.description = "Trading days and holidays.".into();
        self.link(&people.jonas, new, "https://www.example.com/market-calendar").await?;

        let text = include_str!("texts/performance.csv");
        let mut new = paper("Monthly figures of the fund", "Reports", "figures, fund");
        new.description = "Net asset value, change and cash at the end of each month.".into();
        self.file(&people.jonas, new, "performance.csv", text.into()).await?;

        // Uploaded twice: first a page of preliminary figures, then the whole report.
        let report = parse(include_str!("texts/quarterly-report.md"));
        let first_page: Vec<Block> =
            report.iter().take_while(|block| **block != Block::NewPage).cloned().collect();
        let mut new =
            paper("Quarterly report, third quarter 2026", "Reports", "quarterly, 2026, fund");
        new.description =
            "How the fund did between July and September, and what comes next.".into();
        let id = self.file(&people.tomas, new, "q3-2026-preliminary.pdf", set(&first_page)).await?;
        self.version(&people.tomas, id, "q3-2026.pdf", set(&report)).await?;

        let text = include_str!("texts/letter.txt");
        let mut new = paper("Letter to the members", "Reports", "letter");
        new.status = Status::Draft;
        self.file(&people.tomas, new, "letter.txt", text.into()).await?;
        Ok(())
    }

    /// What only some may see.
    async fn deals(&mut self, people: &People) -> Result<()> {
        let committee = || restricted(&[people.committee], &[]);

        let minutes = office::docx(&parse(include_str!("texts/minutes.md")))?;
        let mut new =
            paper("Minutes of the committee, 12 October", "Minutes", "committee, borgholm");
        new.visibility = committee();
        self.file(&people.jonas, new, "minutes-2026-10-12.docx", minutes).await?;

        let sheet = parse(include_str!("texts/term-sheet.md"));
        let mut new = paper("Term sheet: Borgholm Weaving Mill", "Deals", "borgholm, contract");
        new.description = "62 percent in two steps; exclusive until the end of November.".into();
        new.visibility = committee();
        self.file(&people.tomas, new, "term-sheet-borgholm.pdf", set(&sheet)).await?;

        let portfolio = office::xlsx("Holdings", PORTFOLIO)?;
        let mut new = paper("Holdings at the end of September", "Reports", "figures, fund");
        new.visibility = restricted(&[people.committee], &[people.mira.id]);
        self.file(&people.jonas, new, "holdings-2026-09.xlsx", portfolio).await?;

        let mail = include_str!("texts/site-visit.eml");
        let mut new = paper("Mail: site visit in Borgholm", "Deals", "borgholm, mail");
        new.visibility = restricted(&[], &[people.tomas.id, people.ines.id]);
        self.file(&people.jonas, new, "site-visit.eml", mail.into()).await?;
        Ok(())
    }

    /// What the studio makes.
    async fn designs(&mut self, people: &People) -> Result<()> {
        let ines = &people.ines;
        let new = design("Logo of the house", Kind::Logo, "logo, brand");
        self.file(ines, new, "alder-loom.png", pictures::logo()?).await?;

        let mut new =
            design("Herringbone No. 4, banner for the fair", Kind::Banner, "wool, green, fair");
        new.visibility = restricted(&[people.studio], &[]);
        self.file(ines, new, "herringbone-banner.png", pictures::herringbone()?).await?;

        let catalog = parse(include_str!("texts/catalog.md"));
        let mut new = design("Spring 2027", Kind::Catalog, "spring, linen, wool");
        new.category = "Catalogs".into();
        new.description = "The cloths of the coming season, with care and orders.".into();
        self.file(ines, new, "catalog-spring-2027.pdf", set(&catalog)).await?;

        let mut new = design("Orchard", Kind::Poster, "linen, saffron, poster");
        new.visibility = Visibility::Public;
        self.file(ines, new, "orchard.png", pictures::orchard()?).await?;

        let mut new = design("Tidal", Kind::Poster, "waves, blue, poster");
        new.description =
            "For the opening of the workshop. Printed in three blues and a saffron.".into();
        new.visibility = Visibility::Public;
        self.file(ines, new, "tidal.png", pictures::tidal()?).await?;
        Ok(())
    }

    async fn file(
        &mut self,
        author: &User,
        new: NewDocument,
        filename: &str,
        content: Vec<u8>,
    ) -> Result<Id<Document>> {
        let file = self.receive(filename, content).await?;
        let (author, organization) = (author.clone(), self.organization);
        self.count += 1;
        self.app
            .store
            .write(move |tx| {
                let actor = Actor::load(tx, &author, Some(organization))?;
                documents::add_file(tx, &actor, organization, new, file)
            })
            .await
            .map(|document| document.id)
    }

    async fn version(
        &self,
        author: &User,
        document: Id<Document>,
        filename: &str,
        content: Vec<u8>,
    ) -> Result<()> {
        let file = self.receive(filename, content).await?;
        let (author, organization) = (author.clone(), self.organization);
        self.app
            .store
            .write(move |tx| {
                let actor = Actor::load(tx, &author, Some(organization))?;
                versions::add(tx, &actor, document, file).map(|_| ())
            })
            .await
    }

    async fn link(&mut self, author: &User, new: NewDocument, url: &'static str) -> Result<()> {
        let (author, organization) = (author.clone(), self.organization);
        self.count += 1;
        self.app
            .store
            .write(move |tx| {
                let actor = Actor::load(tx, &author, Some(organization))?;
                documents::add_link(tx, &actor, organization, new, url).map(|_| ())
            })
            .await
    }

    async fn archive(&self, author: &User, document: Id<Document>) -> Result<()> {
        let (author, organization) = (author.clone(), self.organization);
        self.app
            .store
            .write(move |tx| {
                let actor = Actor::load(tx, &author, Some(organization))?;
                documents::archive(tx, &actor, document).map(|_| ())
            })
            .await
    }

    async fn receive(&self, filename: &str, content: Vec<u8>) -> Result<NewFile> {
        let size_bytes = content.len() as u64;
        let pieces = stream::iter([Ok(Bytes::from(content))]);
        self.app.receive(filename, Some(size_bytes), pieces).await
    }
}

fn set(blocks: &[Block]) -> Vec<u8> {
    pdf::write(blocks, ORGANIZATION)
}

fn paper(title: &str, category: &str, tags: &str) -> NewDocument {
    NewDocument {
        title: title.into(),
        description: String::new(),
        category: category.into(),
        tags: tags.split(", ").map(Into::into).collect(),
        kind: Kind::File,
        status: Status::Published,
        visibility: Visibility::Organization,
    }
}

fn design(title: &str, kind: Kind, tags: &str) -> NewDocument {
    NewDocument { kind, ..paper(title, "Designs", tags) }
}

fn restricted(groups: &[Id<crate::domain::groups::Group>], people: &[Id<User>]) -> Visibility {
    Visibility::Restricted { groups: groups.to_vec(), people: people.to_vec() }
}

const PORTFOLIO: &[&[&str]] = &[
    &["Company", "Trade", "Stake in percent", "Cost", "Value"],
    &["Borgholm Weaving Mill", "Textiles", "40", "3400000", "3400000"],
    &["Norrköping Dye Works", "Textiles", "55", "2100000", "2650000"],
    &["Kettil Looms", "Machinery", "28", "1250000", "2040000"],
    &["Halland Linen", "Textiles", "19", "640000", "815000"],
    &["Skagen Freight", "Logistics", "12", "900000", "720000"],
    &["Öresund Warehouses", "Logistics", "9", "780000", "760000"],
    &["Studio Alder", "Design", "100", "310000", "560000"],
];
