//! Marks on objects: a text in an object's metadata or tags, which leaves its content, its time and its pin as they are.

use crate::api::Answer;
use crate::bucket_client::BucketClient;
use crate::labels::{Labels, Marks, NoLabels, mark_of};
use crate::types::{MarkText, Marking, StoreError};

/// What an object's labels are, or why that can't be said.
enum Look {
    Labels(Labels),
    NoObject,
    /// The storage does not know labels, or this object can't have another one.
    Unable(String),
}

/// Asks for the mark of an object.
pub(crate) async fn text(client: &BucketClient, key: &str) -> Result<MarkText, StoreError> {
    Ok(match look(client, key).await? {
        Look::Labels(labels) => MarkText::Read(mark_of(&labels).map(str::to_owned)),
        Look::NoObject => MarkText::Read(None),
        Look::Unable(why) => MarkText::Unable(why),
    })
}

async fn look(client: &BucketClient, key: &str) -> Result<Look, StoreError> {
    let connection = client.connection();
    let Some(marks) = connection.api().marks() else {
        return Ok(Look::Unable("its storage has no labels that leave an object as it is".to_owned()));
    };
    if !connection.api().is_addressable(key) {
        return Err(StoreError::BadKey(key.to_owned()));
    }
    let mut first = None;
    client.labels().asked.get_or_init(async || first = Some(ask(client, marks, key).await)).await;
    match (first, client.labels().why_none()) {
        (Some(look), _) => look,
        (None, Some(why)) => Ok(Look::Unable(why.to_owned())),
        (None, None) => ask(client, marks, key).await,
    }
}

async fn ask(client: &BucketClient, marks: &dyn Marks, key: &str) -> Result<Look, StoreError> {
    let (connection, known) = (client.connection(), &client.labels().why_none);
    let answer = connection.send(marks.ask(key)).await?;
    if marks.has_none(&answer) {
        return Ok(Look::Labels(Labels::new()));
    }
    // The object itself may be too long for labels.
    let is_cut = answer.is_too_long && (200..300).contains(&answer.status);
    match connection.meaning(&answer) {
        meaning if meaning == Answer::Yes || is_cut => match marks.read(&answer) {
            Ok(labels) => {
                known.get_or_init(|| None);
                let is_full = mark_of(&labels).is_none() && labels.len() >= marks.most();
                Ok(match is_full {
                    true => Look::Unable(format!("it has {} labels, and can't have another", labels.len())),
                    false => Look::Labels(labels),
                })
            }
            Err(NoLabels::Unknown(why)) => {
                let why = format!("its storage does not know labels: {why}");
                known.get_or_init(|| Some(why.clone()));
                Ok(Look::Unable(why))
            }
            Err(NoLabels::Unreadable(why)) => {
                Ok(Look::Unable(format!("its storage's answer can't be read: {why}")))
            }
        },
        // A proxy, and a server with another word for an object without labels, can answer so as well.
        Answer::NoObject => Ok(match client.head(key).await? {
            None => Look::NoObject,
            Some(_) => Look::Unable("its storage has no labels of it, as if it weren't there".to_owned()),
        }),
        Answer::Refused => Ok(Look::Unable(connection.message(&answer))),
        meaning => Err(connection.error(meaning, connection.bucket().uri(key), &answer)),
    }
}

/// Sets the mark of an object that still has the pin, or removes that of whatever object is there, and looks whether it
/// is so. The first mark of a bucket is set alone, and shows whether its server leaves a marked object as it is; where it
/// does not, no other is set.
pub(crate) async fn set(client: &BucketClient, key: &str, pin: Option<&str>, mark: Option<&str>) -> Marking {
    let known = client.keeps_pins();
    if *known.read().await == Some(true) {
        return set_one(client, key, pin, mark).await;
    }
    // What has no mark need not wait for the first one.
    if mark.is_none()
        && let Ok(Look::Labels(labels)) = look(client, key).await
        && mark_of(&labels).is_none()
    {
        return Marking::Unmarked;
    }
    if known.read().await.is_none() {
        let mut known = known.write().await;
        if known.is_none() {
            let marking = set_one(client, key, pin, mark).await;
            *known = match marking {
                Marking::Done => Some(true),
                Marking::Rewritten => Some(false),
                _ => None,
            };
            return marking;
        }
    }
    match *known.read().await {
        Some(false) => Marking::NotTried,
        _ => set_one(client, key, pin, mark).await,
    }
}

async fn set_one(client: &BucketClient, key: &str, pin: Option<&str>, mark: Option<&str>) -> Marking {
    match try_set(client, key, pin, mark).await {
        Ok(marking) => marking,
        Err(StoreError::Denied { message, .. }) => Marking::Denied(message),
        Err(StoreError::Held { message, .. } | StoreError::Refused { message, .. }) => {
            Marking::Failed(message)
        }
        Err(error) => Marking::Failed(error.to_string()),
    }
}

async fn try_set(
    client: &BucketClient,
    key: &str,
    pin: Option<&str>,
    mark: Option<&str>,
) -> Result<Marking, StoreError> {
    let connection = client.connection();
    let Some(marks) = connection.api().marks() else {
        return Ok(Marking::Failed("its storage has no labels".to_owned()));
    };
    // Labels that are written together are those of the object with this pin.
    let pin = match pin {
        Some(pin) => pin.to_owned(),
        None => match client.head(key).await? {
            None => return Ok(Marking::Gone),
            Some(now) => now.generation,
        },
    };
    let labels = match look(client, key).await? {
        Look::Labels(labels) => labels,
        Look::NoObject => return Ok(Marking::Gone),
        Look::Unable(why) => return Ok(Marking::Failed(why)),
    };
    if mark.is_none() && mark_of(&labels).is_none() {
        return Ok(Marking::Unmarked);
    }
    if !marks.heeds_pin() {
        match client.head(key).await? {
            None => return Ok(Marking::Gone),
            Some(now) if now.generation != pin => return Ok(Marking::Changed),
            Some(_) => {}
        }
    }
    let answer = connection.send(marks.set(key, &pin, &labels, mark)).await?;
    match connection.meaning(&answer) {
        Answer::Yes => {}
        Answer::NoObject => return Ok(Marking::Gone),
        Answer::Changed => return Ok(Marking::Changed),
        Answer::Denied => return Ok(Marking::Denied(connection.message(&answer))),
        _ => return Ok(Marking::Failed(connection.message(&answer))),
    }
    // A server may say yes to what it does not know.
    let is_set = match look(client, key).await? {
        Look::Labels(labels) => mark_of(&labels) == mark,
        Look::NoObject => return Ok(Marking::Gone),
        Look::Unable(why) => return Ok(Marking::Failed(why)),
    };
    if !marks.heeds_pin() {
        match client.head(key).await? {
            None => return Ok(Marking::Gone),
            // The same content at another time is what a server makes that can't do otherwise.
            Some(now) if now.generation != pin => {
                return Ok(if is_set { Marking::Rewritten } else { Marking::Changed });
            }
            Some(_) => {}
        }
    }
    Ok(match is_set {
        true => Marking::Done,
        false => Marking::Failed("the storage said yes, and did nothing".to_owned()),
    })
}
