//! Values, results and limits of single statements.

use super::*;

pub async fn reads_back_what_was_written(ground: &Ground) {
    let notes = ground.notes().await;
    let mut write = notes.write().await;
    assert_eq!(insert(&mut *write, 1).await, Ok(1));
    write.commit().await.unwrap();
    assert_eq!(notes.ids().await, [1]);
}
