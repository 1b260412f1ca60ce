use super::*;

fn queue(options: &QueueOptions, now: Instant) -> Queue {
    Queue::declare("pay", options, now).unwrap()
}

fn plain() -> (Queue, Instant) {
    let now = Instant::now();
    (queue(&QueueOptions::default(), now), now)
}

fn limited(name: &str, value: u64) -> (Queue, Instant) {
    let now = Instant::now();
    (
        queue(&QueueOptions::default().argument(name, value), now),
        now,
    )
}

fn message(body: &str) -> Message {
    Message {
        body: body.to_owned().into(),
        ..Message::default()
    }
}

fn expiring(body: &str, expiration: u64) -> Message {
    Message {
        expiration: Some(ms(expiration)),
        ..message(body)
    }
}

fn urgent(body: &str, priority: u8) -> Message {
    Message {
        priority: Some(priority),
        ..message(body)
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn body(message: &Message) -> String {
    String::from_utf8(message.body.to_vec()).unwrap()
}

fn bodies(mut next: impl FnMut() -> Option<Message>) -> Vec<String> {
    std::iter::from_fn(|| next().map(|message| body(&message))).collect()
}

/// The ready messages, from the head on.
fn waiting(queue: &Queue) -> Vec<(String, bool)> {
    queue
        .ready
        .values()
        .map(|held| (body(&held.message), held.redelivered))
        .collect()
}

fn words(queue: &Queue) -> Vec<String> {
    waiting(queue).into_iter().map(|(body, _)| body).collect()
}

#[test]
fn messages_leave_in_the_order_in_which_they_came() {
    let (mut queue, now) = plain();
    for body in ["a", "b", "c"] {
        queue.push(urgent(body, 7), now);
    }
    queue.push(urgent("d", 9), now);
    queue.join(1, 5, 0);
    let taken = std::iter::from_fn(|| queue.hand_out());
    let taken: Vec<_> = taken
        .map(|handout| (body(&handout.held.message), handout.channel))
        .collect();
    let expected = ["a", "b", "c", "d"].map(|body| (body.to_owned(), 5));
    assert_eq!(
        taken, expected,
        "priorities mean nothing without an argument"
    );
}

#[test]
fn higher_priorities_leave_first_up_to_the_highest_of_the_queue() {
    let (mut queue, now) = limited("x-max-priority", 5);
    for (body, priority) in [("0", 0), ("5", 5), ("9", 9), ("1", 1)] {
        queue.push(urgent(body, priority), now);
    }
    queue.push(message("none"), now);
    assert_eq!(words(&queue), ["5", "9", "1", "0", "none"]);
}

#[test]
fn messages_expire_at_the_head_only() {
    let (mut queue, now) = plain();
    queue.push(expiring("first", 1500), now);
    queue.push(expiring("behind", 300), now);
    queue.push(message("last"), now);
    assert_eq!(queue.due(), Some(now + ms(1500)));
    assert_eq!(queue.expire(now + ms(1499)), None);
    assert_eq!(bodies(|| queue.expire(now + ms(1500))), ["first", "behind"]);
    assert_eq!(words(&queue), ["last"]);
    assert_eq!(queue.due(), None);
}

#[test]
fn the_shorter_of_expiration_and_time_to_live_counts() {
    let (mut queue, now) = limited("x-message-ttl", 100);
    queue.push(message("none"), now);
    queue.push(expiring("long", 5000), now);
    queue.push(expiring("short", 50), now);
    queue.push(expiring("endless", u64::MAX), now + ms(1));
    assert_eq!(
        bodies(|| queue.expire(now + ms(100))),
        ["none", "long", "short"]
    );
    assert_eq!(queue.due(), Some(now + ms(101)));
}

#[test]
fn what_was_not_settled_returns_to_its_place_and_its_time_runs_on() {
    let (mut queue, now) = plain();
    for body in ["0", "1", "2"] {
        queue.push(expiring(body, 100), now);
    }
    queue.join(1, 1, 2);
    let first = queue.hand_out().unwrap();
    let second = queue.hand_out().unwrap();
    assert!(queue.hand_out().is_none());
    queue.leave(1, now);
    queue.requeue(second.position, second.held);
    queue.requeue(first.position, first.held);
    let expected = [("0", true), ("1", true), ("2", false)];
    assert_eq!(
        waiting(&queue),
        expected.map(|(body, redelivered)| (body.to_owned(), redelivered))
    );
    assert_eq!(bodies(|| queue.expire(now + ms(100))), ["0", "1", "2"]);
}

#[test]
fn a_full_queue_drops_its_head() {
    let (mut queue, now) = limited("x-max-length", 2);
    for body in ["a", "b", "c", "d"] {
        queue.push(message(body), now);
    }
    assert_eq!(bodies(|| queue.overflow()), ["a", "b"]);
    assert_eq!(words(&queue), ["c", "d"]);
}

#[test]
fn only_what_is_ready_counts_as_length() {
    let (mut queue, now) = limited("x-max-length-bytes", 5);
    queue.push(message("123"), now);
    queue.join(1, 1, 1);
    let taken = queue.hand_out().unwrap();
    queue.push(message("45678"), now);
    assert_eq!(queue.overflow(), None);
    queue.requeue(taken.position, taken.held);
    assert_eq!(bodies(|| queue.overflow()), ["123"]);
}

#[test]
fn a_full_queue_can_refuse_instead() {
    let now = Instant::now();
    let full = |overflow: &str| {
        let options = QueueOptions::default()
            .argument("x-max-length", 1)
            .argument("x-overflow", overflow);
        let mut queue = queue(&options, now);
        assert_eq!(queue.refuses(1), None);
        queue.push(message("a"), now);
        queue.refuses(1)
    };
    assert_eq!(full("drop-head"), None);
    assert_eq!(full("reject-publish"), Some(Overflow::RejectPublish));
    assert_eq!(
        full("reject-publish-dlx"),
        Some(Overflow::RejectPublishDeadLetter)
    );
}

#[test]
fn a_queue_ends_when_it_was_unused_for_too_long() {
    let options = QueueOptions::default().argument("x-expires", 300);
    let now = Instant::now();
    let mut queue = queue(&options, now);
    assert!(!queue.outlived(now + ms(299)));
    assert!(queue.outlived(now + ms(300)));
    queue.redeclare(&options, now + ms(200)).unwrap();
    assert_eq!(queue.due(), Some(now + ms(500)));
    queue.join(1, 1, 0);
    assert_eq!(queue.due(), None);
    queue.leave(1, now + ms(1000));
    assert_eq!(queue.due(), Some(now + ms(1300)));
}

#[test]
fn a_restart_leaves_persistent_messages() {
    let (mut queue, now) = limited("x-max-length-bytes", 4);
    queue.push(message("aaa"), now);
    let persistent = Message {
        persistent: true,
        ..message("b")
    };
    queue.push(persistent, now);
    queue.restart();
    assert_eq!(words(&queue), ["b"]);
    queue.push(message("ccc"), now);
    assert_eq!(queue.overflow(), None);
}
