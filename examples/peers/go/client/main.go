// Calls a method by amqp091-go, once for each object of arguments: the least that works.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const replies = "amq.rabbitmq.reply-to"

func main() {
	conn, err := amqp.Dial(os.Getenv("RABBITMQ_URL"))
	must(err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(err)
	answers, err := ch.Consume(replies, "", true, false, false, false, nil)
	must(err)
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	for _, kwargs := range os.Args[2:] {
		random := make([]byte, 16)
		_, err := rand.Read(random)
		must(err)
		id := fmt.Sprintf("%x", random)
		call := amqp.Publishing{CorrelationId: id, ReplyTo: replies,
			Expiration: "5000", Body: []byte(kwargs)}
		must(ch.PublishWithContext(context.Background(), "", os.Args[1], true, false, call))
		var answer amqp.Delivery
		limit := time.After(5 * time.Second)
		for open := true; open && answer.CorrelationId != id; {
			select {
			case answer, open = <-answers:
			case r := <-returns: // not sent to any server: like an answer that is no result
				answer = amqp.Delivery{Type: r.ReplyText, CorrelationId: r.CorrelationId}
			case <-limit:
				log.Fatal("no answer within 5 s")
			}
		}
		if answer.Type != "result" {
			log.Fatalf("no result: %s %s", answer.Type, answer.Body)
		}
		fmt.Printf("%s\n", answer.Body)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
